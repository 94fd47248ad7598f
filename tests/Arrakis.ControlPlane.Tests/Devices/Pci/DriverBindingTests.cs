using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Pci;
using Arrakis.TestBed.Machine;
using Tmds.Linux;

namespace Arrakis.ControlPlane.Tests.Devices.Pci;

public sealed class DriverBindingTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly PciTree _tree = new();
    private readonly PciAddress _nic;

    public DriverBindingTests() => _nic = _tree.Add("0000:01:00.0", driver: "igb", group: 7);

    public void Dispose() => _tree.Dispose();

    [Fact]
    public async Task A_function_goes_to_vfio_pci_and_back_to_its_driver()
    {
        var daemon = new PciDaemon(_tree);
        await daemon.Drivers.BindAsync(_nic);

        Assert.Equal(["0000:01:00.0 driver_override vfio-pci", "0000:01:00.0 driver/unbind 0000:01:00.0", "0000:01:00.0 probe"], _tree.Writes);
        Assert.Equal(PciFunction.VfioDriver, _tree.Read(_nic).Driver);

        _tree.Writes.Clear();
        await daemon.Drivers.RestoreAsync(_nic);

        Assert.Equal(["0000:01:00.0 driver_override ", "0000:01:00.0 driver/unbind 0000:01:00.0", "0000:01:00.0 bind igb"], _tree.Writes);
        Assert.Equal(("igb", null), (_tree.Read(_nic).Driver, _tree.Read(_nic).DriverOverride));
        Assert.Empty(daemon.Log.Functions);
    }

    [Fact]
    public async Task A_former_override_and_a_function_without_driver_come_back_too()
    {
        PciAddress idle = _tree.Add("0000:02:00.0");
        _tree.Put(idle, "driver_override", "pci-stub");
        var daemon = new PciDaemon(_tree);
        await daemon.Drivers.BindAsync(idle);
        await daemon.Drivers.RestoreAsync(idle);

        Assert.Equal((null, "pci-stub"), (_tree.Read(idle).Driver, _tree.Read(idle).DriverOverride));
    }

    [Fact]
    public async Task What_it_was_is_in_the_file_before_anything_is_written()
    {
        string? record = null;
        _tree.OnWrite = _ => record ??= File.ReadAllText(PciDaemon.RecordOf(_tree));
        await new PciDaemon(_tree).Drivers.BindAsync(_nic);

        Assert.Equal(
            """{"version":1,"bootId":"boot-1","functions":[{"address":"0000:01:00.0","vendorId":32902,"deviceId":4297,"driver":"igb"}],"physicalFunctions":[]}""",
            record);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(PciDaemon.RecordOf(_tree)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task After_a_crash_at_any_step_the_next_daemon_gives_the_function_back(int steps)
    {
        int left = steps;
        byte[] record = [];
        _tree.OnWrite = _ =>
        {
            if (left-- == 0)
            {
                record = File.ReadAllBytes(PciDaemon.RecordOf(_tree)); // What the dead daemon leaves; it does not tidy up.
            }

            FailUnless(left >= 0, LibC.EIO);
        };
        Exception? fault = await Record.ExceptionAsync(() => new PciDaemon(_tree).Drivers.BindAsync(_nic));
        Assert.Equal(steps < 3, fault is not null);
        _tree.OnWrite = static _ => { };
        File.WriteAllBytes(PciDaemon.RecordOf(_tree), fault is null ? File.ReadAllBytes(PciDaemon.RecordOf(_tree)) : record);

        var next = new PciDaemon(_tree);
        Assert.Single(next.Log.Functions);
        await next.Drivers.RestoreLeftAsync([]);

        Assert.Equal(("igb", null), (_tree.Read(_nic).Driver, _tree.Read(_nic).DriverOverride));
        Assert.Empty(new PciDaemon(_tree).Log.Functions);
    }

    [Fact]
    public async Task A_function_that_a_binding_needs_stays_bound_over_a_crash_and_is_given_back_later()
    {
        await new PciDaemon(_tree).Drivers.BindAsync(_nic);
        var next = new PciDaemon(_tree);
        await next.Drivers.RestoreLeftAsync([_nic]);
        Assert.Equal(PciFunction.VfioDriver, _tree.Read(_nic).Driver);

        await next.Drivers.RestoreAsync(_nic);
        Assert.Equal("igb", _tree.Read(_nic).Driver);
    }

    [Fact]
    public async Task A_record_of_an_earlier_boot_says_nothing_of_this_one()
    {
        await new PciDaemon(_tree).Drivers.BindAsync(_nic);

        Assert.Empty(new PciDaemon(_tree, "boot-2").Log.Functions);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"version":2,"bootId":"boot-1","functions":[],"physicalFunctions":[]}""")]
    [InlineData("""{"version":1,"bootId":"boot-1","functions":[null],"physicalFunctions":[]}""")]
    [InlineData("""{"version":1,"bootId":"boot-1","functions":[{"address":"somewhere","vendorId":1,"deviceId":1}],"physicalFunctions":[]}""")]
    [InlineData("""{"version":1,"bootId":"boot-1","functions":[{"address":"0000:01:00.0","vendorId":1,"deviceId":1,"driver":"../../etc"}],"physicalFunctions":[]}""")]
    [InlineData("""{"version":1,"bootId":"boot-1","functions":[],"physicalFunctions":[{"address":"0000:01:00.0","functionCount":-1}]}""")]
    public void A_record_that_makes_no_sense_is_put_aside(string text)
    {
        File.WriteAllText(PciDaemon.RecordOf(_tree), text);

        Assert.Empty(new PciDaemon(_tree).Log.Functions);
        Assert.Equal(text, File.ReadAllText(PciDaemon.RecordOf(_tree) + ".unreadable"));
        Assert.False(File.Exists(PciDaemon.RecordOf(_tree)));
    }

    [Theory]
    [InlineData("driver_override", "driver_override does not become vfio-pci")]
    [InlineData("driver/unbind", "igb does not let go of it")]
    [InlineData("probe", "vfio-pci does not take it")]
    public async Task A_step_that_the_kernel_takes_without_effect_is_an_error_and_undone(string step, string cause)
    {
        _tree.Ignored.Add(step);
        var daemon = new PciDaemon(_tree);
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => daemon.Drivers.BindAsync(_nic));

        Assert.Equal((ErrorCode.DeviceUnavailable, $"0000:01:00.0: {cause}."), (fault.Code, fault.Cause));
        Assert.Equal(("igb", null), (_tree.Read(_nic).Driver, _tree.Read(_nic).DriverOverride));
        Assert.Empty(daemon.Log.Functions);
    }

    [Fact]
    public async Task A_driver_that_fails_is_named_with_the_kernels_reason()
    {
        _tree.OnWrite = static write => FailUnless(!write.EndsWith("probe", StringComparison.Ordinal), LibC.EINVAL);
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => new PciDaemon(_tree).Drivers.BindAsync(_nic));

        Assert.Equal(ErrorCode.DeviceUnavailable, fault.Code);
        Assert.Equal("Binding 0000:01:00.0 to vfio-pci failed: write: Invalid argument (errno 22).", fault.Cause);
        Assert.Equal("igb", _tree.Read(_nic).Driver);
    }

    [Fact]
    public async Task Without_vfio_pci_the_remedy_is_the_module()
    {
        _tree.RemoveDriver("vfio-pci");
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => new PciDaemon(_tree).Drivers.BindAsync(_nic));

        Assert.Equal(ErrorCode.NoVfio, fault.Code);
        Assert.Contains("modprobe vfio-pci", fault.Remedy, StringComparison.Ordinal);
        Assert.Empty(_tree.Writes);
    }

    [Fact]
    public async Task A_function_that_someone_else_has_bound_to_vfio_pci_stays_his()
    {
        PciAddress bound = _tree.Add("0000:03:00.0", driver: "vfio-pci");
        var daemon = new PciDaemon(_tree);
        await daemon.Drivers.BindAsync(bound);
        await daemon.Drivers.RestoreAsync(bound);

        Assert.Empty(_tree.Writes);
        Assert.Equal("vfio-pci", _tree.Read(bound).Driver);
    }

    [Fact]
    public async Task A_function_that_is_gone_is_forgotten()
    {
        var daemon = new PciDaemon(_tree);
        await daemon.Drivers.BindAsync(_nic);
        _tree.Remove(_nic);
        await daemon.Drivers.RestoreLeftAsync([]);

        Assert.Empty(daemon.Log.Functions);
    }

    [Fact]
    public async Task Another_device_at_the_same_place_is_not_touched()
    {
        var daemon = new PciDaemon(_tree);
        await daemon.Drivers.BindAsync(_nic);
        _tree.Put(_nic, "device", "0x1572");
        _tree.Writes.Clear();
        await daemon.Drivers.RestoreLeftAsync([]);

        Assert.Empty(_tree.Writes);
        Assert.Empty(daemon.Log.Functions);
    }

    [Fact]
    public async Task A_driver_that_has_left_the_kernel_leaves_the_function_without_one()
    {
        var daemon = new PciDaemon(_tree);
        await daemon.Drivers.BindAsync(_nic);
        _tree.RemoveDriver("igb");
        await daemon.Drivers.RestoreAsync(_nic);

        Assert.Equal((null, null), (_tree.Read(_nic).Driver, _tree.Read(_nic).DriverOverride));
        Assert.Empty(daemon.Log.Functions);
    }

    [Fact]
    public async Task A_kernel_that_blocks_is_waited_for_in_bounded_time_and_the_function_is_given_back_when_it_comes_back()
    {
        using var blocked = new ManualResetEventSlim();
        using var letGo = new ManualResetEventSlim();
        using var givenBack = new ManualResetEventSlim();
        _tree.OnWrite = write =>
        {
            if (write.Contains("unbind", StringComparison.Ordinal) && !letGo.IsSet)
            {
                blocked.Set();
                letGo.Wait(s_patience);
            }
            else if (write == "0000:01:00.0 bind igb")
            {
                givenBack.Set();
            }
        };
        var daemon = new PciDaemon(_tree);
        Task bind = daemon.Drivers.BindAsync(_nic);
        Assert.True(blocked.Wait(s_patience));
        daemon.Time.Advance(daemon.Drivers.Limit);
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => bind.WaitAsync(s_patience));
        Assert.Equal(ErrorCode.DeviceInUse, fault.Code);
        Assert.Contains("has not ended after 10 s", fault.Cause, StringComparison.Ordinal);

        ArrakisException second = await Assert.ThrowsAsync<ArrakisException>(() => daemon.Drivers.RestoreAsync(_nic));
        Assert.Equal(ErrorCode.DeviceInUse, second.Code);
        Assert.Contains("binding 0000:01:00.0 to vfio-pci has not ended", second.Cause, StringComparison.Ordinal);

        letGo.Set();
        Assert.True(givenBack.Wait(s_patience));
        Assert.DoesNotContain("0000:01:00.0 probe", _tree.Writes);
    }

    private static void FailUnless(bool works, int errno)
    {
        if (!works)
        {
            throw new LinuxException("write", errno);
        }
    }
}
