using Arrakis.Contract;
using Arrakis.ControlPlane.Tests.Bindings;
using Arrakis.Native;
using Arrakis.Native.Pci;
using Arrakis.TestBed.Machine;
using Tmds.Linux;

namespace Arrakis.ControlPlane.Tests.Devices.Pci;

public sealed class SriovFunctionsTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly PciTree _tree = new();
    private readonly PciAddress _nic;

    public SriovFunctionsTests()
    {
        _nic = _tree.Add("0000:01:00.0", driver: "igb", group: 7, sriov: 7);
        _tree.AddDriver("igbvf");
    }

    public void Dispose() => _tree.Dispose();

    [Fact]
    public async Task Virtual_functions_are_made_without_drivers_and_taken_away_again()
    {
        var daemon = new PciDaemon(_tree);
        IReadOnlyList<PciFunction> functions = await daemon.Sriov.CreateAsync(_nic, 3);

        Assert.Equal(["0000:01:00.0 sriov_drivers_autoprobe 0", "0000:01:00.0 sriov_numvfs 3"], _tree.Writes);
        Assert.Equal(["0000:01:10.0", "0000:01:10.2", "0000:01:10.4"], functions.Select(static function => function.Address.ToString()));
        Assert.All(functions, function => Assert.Equal((null, _nic), (function.Driver, function.PhysicalFunction)));

        _tree.Writes.Clear();
        await daemon.Sriov.RestoreAsync(_nic);

        Assert.Equal(["0000:01:00.0 sriov_numvfs 0", "0000:01:00.0 sriov_drivers_autoprobe 1"], _tree.Writes);
        Assert.Empty(daemon.Sriov.List(_nic));
        Assert.Empty(daemon.Log.PhysicalFunctions);
    }

    [Fact]
    public async Task Another_number_goes_by_way_of_none_and_comes_back_with_its_drivers()
    {
        _tree.Write(_nic, "sriov_numvfs", "2");
        _tree.Writes.Clear();
        var daemon = new PciDaemon(_tree);
        IReadOnlyList<PciFunction> functions = await daemon.Sriov.CreateAsync(_nic, 4);

        Assert.Equal(["0000:01:00.0 sriov_numvfs 0", "0000:01:00.0 sriov_drivers_autoprobe 0", "0000:01:00.0 sriov_numvfs 4"], _tree.Writes);
        Assert.All(functions, static function => Assert.Null(function.Driver));

        await daemon.Sriov.RestoreAsync(_nic);
        Assert.Equal(["igbvf", "igbvf"], daemon.Sriov.List(_nic).Select(static function => function.Driver));
    }

    [Fact]
    public async Task The_number_that_is_there_already_is_left_alone()
    {
        _tree.Write(_nic, "sriov_numvfs", "2");
        _tree.Writes.Clear();
        var daemon = new PciDaemon(_tree);
        Assert.Equal(2, (await daemon.Sriov.CreateAsync(_nic, 2)).Count);
        await daemon.Sriov.RestoreAsync(_nic);

        Assert.Empty(_tree.Writes);
    }

    [Fact]
    public async Task After_a_crash_the_next_daemon_restores_the_number_or_keeps_what_is_needed()
    {
        await new PciDaemon(_tree).Sriov.CreateAsync(_nic, 3);
        var next = new PciDaemon(_tree);
        await next.Sriov.RestoreLeftAsync([_nic]);
        Assert.Equal(3, next.Sriov.List(_nic).Count);
        Assert.Equal(3, (await next.Sriov.CreateAsync(_nic, 3)).Count);

        await new PciDaemon(_tree).Sriov.RestoreLeftAsync([]);
        Assert.Equal((0, true), (_tree.Read(_nic).SriovNumVfs, _tree.Read(_nic).SriovDriversAutoprobe));
    }

    [Fact]
    public async Task More_than_the_card_has_are_refused()
    {
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => new PciDaemon(_tree).Sriov.CreateAsync(_nic, 8));

        Assert.Equal((ErrorCode.InvalidRequest, "0000:01:00.0 can have 7 virtual functions, not 8."), (fault.Code, fault.Cause));
    }

    [Theory]
    [InlineData("0000:09:00.0", ErrorCode.UnknownDevice)]
    [InlineData("0000:02:00.0", ErrorCode.InvalidRequest)]
    [InlineData("0000:03:00.0", ErrorCode.DeviceUnavailable)]
    public async Task A_function_that_is_missing_or_has_no_SR_IOV_or_no_driver_is_refused(string address, ErrorCode code)
    {
        _tree.Add("0000:02:00.0", driver: "e1000e");
        _tree.Add("0000:03:00.0", sriov: 7);
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => new PciDaemon(_tree).Sriov.CreateAsync(PciAddress.Parse(address), 1));

        Assert.Equal(code, fault.Code);
        Assert.Contains(address, fault.Cause, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Virtual_functions_that_the_machine_is_reached_by_do_not_go_away()
    {
        _tree.Write(_nic, "sriov_numvfs", "2");
        _tree.AddInterface(_tree.Read(_nic).VirtualFunctions[1], "eth7");
        _tree.WriteProc("net/route", "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\neth7\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        _tree.Writes.Clear();
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => new PciDaemon(_tree).Sriov.CreateAsync(_nic, 4));

        Assert.Equal((ErrorCode.DeviceInUse, "0000:01:10.2 is in use by the kernel: eth7 carries the default route."), (fault.Code, fault.Cause));
        Assert.Empty(_tree.Writes);
    }

    [Fact]
    public async Task Virtual_functions_that_someone_else_has_through_VFIO_do_not_go_away()
    {
        _tree.Write(_nic, "sriov_numvfs", "2");
        PciAddress taken = _tree.Read(_nic).VirtualFunctions[0];
        _tree.Write(taken, "driver/unbind", taken.ToString());
        _tree.Bind(taken, "vfio-pci");
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => new PciDaemon(_tree).Sriov.CreateAsync(_nic, 4));

        Assert.Equal(ErrorCode.DeviceInUse, fault.Code);
        Assert.Equal(2, _tree.Read(_nic).SriovNumVfs);
    }

    [Fact]
    public async Task A_machine_without_room_for_their_registers_keeps_what_it_had()
    {
        _tree.OnWrite = static write => FailUnless(!write.EndsWith("sriov_numvfs 3", StringComparison.Ordinal), LibC.ENOMEM);
        var daemon = new PciDaemon(_tree);
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => daemon.Sriov.CreateAsync(_nic, 3));

        Assert.Equal(ErrorCode.DeviceUnavailable, fault.Code);
        Assert.Contains("pci=realloc", fault.Remedy, StringComparison.Ordinal);
        Assert.Equal((0, true), (_tree.Read(_nic).SriovNumVfs, _tree.Read(_nic).SriovDriversAutoprobe));
        Assert.Empty(daemon.Log.PhysicalFunctions);
    }

    [Fact]
    public async Task Taking_them_away_is_waited_for_in_bounded_time_and_done_when_the_holder_lets_go()
    {
        var daemon = new PciDaemon(_tree);
        await daemon.Sriov.CreateAsync(_nic, 3);
        using var blocked = new ManualResetEventSlim();
        using var letGo = new ManualResetEventSlim();
        _tree.OnWrite = write =>
        {
            if (write.EndsWith("sriov_numvfs 0", StringComparison.Ordinal))
            {
                blocked.Set();
                letGo.Wait(s_patience);
            }
        };
        Task restore = daemon.Sriov.RestoreAsync(_nic);
        Assert.True(blocked.Wait(s_patience));
        daemon.Time.Advance(daemon.Sriov.Limit);
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => restore.WaitAsync(s_patience));
        Assert.Equal(ErrorCode.DeviceInUse, fault.Code);
        Assert.Single(daemon.Log.PhysicalFunctions);

        letGo.Set();
        await BindTests.Eventually(() => daemon.Log.PhysicalFunctions.Count == 0);
        Assert.Equal((0, true), (_tree.Read(_nic).SriovNumVfs, _tree.Read(_nic).SriovDriversAutoprobe));
    }

    private static void FailUnless(bool works, int errno)
    {
        if (!works)
        {
            throw new LinuxException("write", errno);
        }
    }
}
