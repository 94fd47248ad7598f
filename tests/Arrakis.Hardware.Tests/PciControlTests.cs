using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.Hardware.Tests.Support;
using Arrakis.Native.Net;
using Arrakis.Native.Pci;
using Arrakis.TestBed.Machine;
using Arrakis.Wire;
using Microsoft.Extensions.Logging.Abstractions;

namespace Arrakis.Hardware.Tests;

/// <summary>What the daemon does to PCI functions, against Linux's own drivers. What it says is compared with what sysfs and ip(8) show.</summary>
public sealed class PciControlTests : IDisposable
{
    private readonly string _runtime = Directory.CreateTempSubdirectory("arrakis-pci-").FullName;

    public void Dispose() => Directory.Delete(_runtime, recursive: true);

    [Theory]
    [InlineData("igb", 3)]
    [InlineData("nvme", 2)]
    public async Task Virtual_functions_are_made_without_drivers_and_the_former_number_comes_back(string device, int count)
    {
        Support.PciFunction physical = device == "igb" ? LabMachine.Igb : LabMachine.Nvme;
        PciAddress address = Address(physical);
        var daemon = StartDaemon();
        IReadOnlyList<Native.Pci.PciFunction> functions = await daemon.Sriov.CreateAsync(address, count);
        try
        {
            Assert.Equal(physical.VirtualFunctions.Select(Address), functions.Select(static function => function.Address));
            Assert.All(functions, function =>
            {
                Assert.Null(function.Driver);
                Assert.Equal(address, function.PhysicalFunction);
                Assert.True(daemon.Bus.TryReadGroup(function.IommuGroup!.Value)!.IsViable([function.Address]));
            });
            Assert.Equal(0, physical.Number("sriov_drivers_autoprobe"));
        }
        finally
        {
            await daemon.Sriov.RestoreAsync(address);
        }

        Assert.Equal((0, 1), (physical.Number("sriov_numvfs"), physical.Number("sriov_drivers_autoprobe")));
    }

    [Fact]
    public async Task Another_number_of_functions_is_replaced_and_put_back_after_a_crash()
    {
        LabMachine.Igb.Write("sriov_numvfs", "1"); // igbvf takes it.
        try
        {
            PciAddress address = Address(LabMachine.Igb);
            Assert.Equal(4, (await StartDaemon().Sriov.CreateAsync(address, 4)).Count);

            var next = StartDaemon(); // The first one is forgotten, as if killed.
            await next.Sriov.RestoreLeftAsync([address]);
            Assert.Equal(4, LabMachine.Igb.Number("sriov_numvfs"));
            await next.Sriov.RestoreLeftAsync([]);
            Assert.Equal((1, 1), (LabMachine.Igb.Number("sriov_numvfs"), LabMachine.Igb.Number("sriov_drivers_autoprobe")));
            Assert.Equal("igbvf", Assert.Single(LabMachine.Igb.VirtualFunctions).Driver);
        }
        finally
        {
            LabMachine.Igb.Write("sriov_numvfs", "0");
        }
    }

    [Fact]
    public async Task More_functions_than_the_card_has_are_refused()
    {
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => StartDaemon().Sriov.CreateAsync(Address(LabMachine.Igb), 8));

        Assert.Equal((ErrorCode.InvalidRequest, "0000:01:00.0 can have 7 virtual functions, not 8."), (fault.Code, fault.Cause));
    }

    [Fact]
    public async Task What_the_card_is_to_enforce_is_set_and_read_back_through_its_driver()
    {
        var daemon = StartDaemon();
        PciAddress address = Address(LabMachine.Igb);
        await daemon.Sriov.CreateAsync(address, 2);
        try
        {
            string link = LabMachine.Igb.NetworkInterface;
            await LabMachine.Igb.LinkUpAsync(); // Without a link the driver refuses a rate.
            VfControl control = VfControl.Of(daemon.Bus.Read(address));
            VirtualFunctionState state = control.Apply(1, new VfSettings
            {
                Mac = MacAddress.Parse("02:00:00:00:01:09"),
                Vlan = 9,
                VlanPriority = 2,
                SpoofCheck = false,
                Trusted = true,
                MaxRateMegabits = 100,
            });

            Assert.Equal("02:00:00:00:01:09", MacAddress.Read(state.HardwareAddress).ToString());
            Assert.Equal((9u, 2u, false, true, 100u), (state.Vlan, state.VlanPriority, state.SpoofCheck, state.Trusted, state.MaxRate));
            string line = Assert.Single((await IpAsync("link", "show", link)).Split('\n'), static line => line.Contains("vf 1 ", StringComparison.Ordinal));
            Assert.All(
                ["02:00:00:00:01:09", "vlan 9", "qos 2", "spoof checking off", "trust on", "100Mbps"],
                word => Assert.Contains(word, line, StringComparison.Ordinal));

            VirtualFunctionState back = control.Apply(1, new VfSettings { Vlan = 0, SpoofCheck = true, Trusted = false, MaxRateMegabits = 0 });
            Assert.Equal((0u, true, false, 0u), (back.Vlan, back.SpoofCheck, back.Trusted, back.MaxRate));
            Assert.Equal("02:00:00:00:01:09", MacAddress.Read(back.HardwareAddress).ToString()); // What is not given stays.
            Assert.Equal(0u, control.Read(0).MaxRate);
        }
        finally
        {
            await daemon.Sriov.RestoreAsync(address);
        }
    }

    [Fact]
    public async Task Without_a_link_a_function_is_set_up_as_long_as_no_rate_is_wanted()
    {
        var daemon = StartDaemon();
        PciAddress address = Address(LabMachine.Igb);
        await daemon.Sriov.CreateAsync(address, 1);
        try
        {
            await IpAsync("link", "set", LabMachine.Igb.NetworkInterface, "down");
            var control = new VfControl(LabMachine.Igb.NetworkInterface);
            Assert.Equal(ErrorCode.SettingRefused, Assert.Throws<ArrakisException>(() => control.Apply(0, new VfSettings { MaxRateMegabits = 100 })).Code);
            Assert.Equal(0u, control.Apply(0, new VfSettings { Vlan = 0, SpoofCheck = true, MaxRateMegabits = 0 }).MaxRate);
        }
        finally
        {
            await daemon.Sriov.RestoreAsync(address);
        }
    }

    [Fact]
    public async Task A_setting_that_the_driver_does_not_have_is_an_error_that_names_it()
    {
        var daemon = StartDaemon();
        PciAddress address = Address(LabMachine.Igb);
        await daemon.Sriov.CreateAsync(address, 1);
        try
        {
            await LabMachine.Igb.LinkUpAsync();
            var control = new VfControl(LabMachine.Igb.NetworkInterface);
            ArrakisException fault = Assert.Throws<ArrakisException>(() => control.Apply(0, new VfSettings { MinRateMegabits = 10 }));
            Assert.Equal(ErrorCode.SettingRefused, fault.Code);
            Assert.Contains("cannot have a sending rate of 10 to 0 Mbit/s: its driver does not take that value", fault.Cause, StringComparison.Ordinal);

            ArrakisException none = Assert.Throws<ArrakisException>(() => control.Apply(5, new VfSettings { SpoofCheck = true }));
            Assert.Equal(ErrorCode.DeviceUnavailable, none.Code);
            Assert.Contains("no virtual function 5: its driver describes 1", none.Cause, StringComparison.Ordinal);
        }
        finally
        {
            await daemon.Sriov.RestoreAsync(address);
        }
    }

    [Fact]
    public async Task A_function_goes_to_vfio_pci_and_back_to_its_driver()
    {
        PciAddress address = Address(LabMachine.PlainNvme);
        var daemon = StartDaemon();
        daemon.Checks.EnsureBindable(address, []);
        await daemon.Drivers.BindAsync(address);
        try
        {
            Native.Pci.PciFunction bound = daemon.Bus.Read(address);
            Assert.Equal("vfio-pci", LabMachine.PlainNvme.Driver);
            Assert.True(Path.Exists($"/dev/vfio/devices/{bound.VfioDevice}"));
            Assert.True(Path.Exists($"/dev/vfio/{bound.IommuGroup}"));
        }
        finally
        {
            await daemon.Drivers.RestoreAsync(address);
        }

        Assert.Equal(("nvme", "(null)"), (LabMachine.PlainNvme.Driver, LabMachine.PlainNvme.Read("driver_override")));
    }

    [Fact]
    public async Task After_a_crash_the_next_daemon_gives_functions_back_but_for_those_that_are_needed()
    {
        PciAddress disk = Address(LabMachine.PlainNvme);
        PciAddress card = Address(LabMachine.VirtioNet);
        var first = StartDaemon();
        await first.Drivers.BindAsync(disk);
        await first.Drivers.BindAsync(card);

        var next = StartDaemon();
        await next.Drivers.RestoreLeftAsync([card]);
        Assert.Equal(("nvme", "vfio-pci"), (LabMachine.PlainNvme.Driver, LabMachine.VirtioNet.Driver));

        await StartDaemon().Drivers.RestoreLeftAsync([]);
        Assert.Equal(("virtio-pci", "(null)"), (LabMachine.VirtioNet.Driver, LabMachine.VirtioNet.Read("driver_override")));
        Assert.Empty(StartDaemon().Log.Functions);
    }

    [Fact]
    public async Task A_mounted_disk_is_refused_until_it_is_unmounted()
    {
        var daemon = StartDaemon();
        PciAddress address = Address(LabMachine.PlainNvme);
        string disk = "/dev/" + daemon.Bus.Read(address).NvmeController + "n1";
        string point = Directory.CreateTempSubdirectory("arrakis-mount-").FullName;
        await RunAsync("busybox", "mke2fs", "-F", disk);
        await RunAsync("busybox", "mount", "-t", "ext2", disk, point);
        try
        {
            ArrakisException fault = Assert.Throws<ArrakisException>(() => daemon.Checks.EnsureBindable(address, []));
            Assert.Equal(ErrorCode.DeviceInUse, fault.Code);
            Assert.Contains($"is mounted at {point}", fault.Cause, StringComparison.Ordinal);
            Assert.Contains($"umount {point}", fault.Remedy, StringComparison.Ordinal);
            Assert.True(Native.Storage.BlockDevice.IsClaimed(disk));
        }
        finally
        {
            await RunAsync("busybox", "umount", point);
            Directory.Delete(point);
        }

        daemon.Checks.EnsureBindable(address, []);
    }

    [Fact]
    public async Task The_interface_with_the_default_route_is_refused_until_the_route_is_gone()
    {
        var daemon = StartDaemon();
        PciAddress address = Address(LabMachine.VirtioNet);
        string link = Assert.Single(daemon.Bus.Read(address).NetworkInterfaces);
        await IpAsync("link", "set", link, "up");
        await IpAsync("address", "add", "192.0.2.2/24", "dev", link);
        try
        {
            daemon.Checks.EnsureBindable(address, []); // Up, with an address: that alone is no obstacle.
            await IpAsync("route", "add", "default", "via", "192.0.2.1", "dev", link);
            ArrakisException fault = Assert.Throws<ArrakisException>(() => daemon.Checks.EnsureBindable(address, []));
            Assert.Equal((ErrorCode.DeviceInUse, $"0000:04:00.0 is in use by the kernel: {link} carries the default route."), (fault.Code, fault.Cause));
        }
        finally
        {
            await IpAsync("address", "flush", "dev", link);
            await IpAsync("link", "set", link, "down");
        }

        daemon.Checks.EnsureBindable(address, []);
    }

    [Fact]
    public async Task A_disk_that_a_loop_device_lies_on_is_refused()
    {
        var daemon = StartDaemon();
        PciAddress address = Address(LabMachine.PlainNvme);
        string name = daemon.Bus.Read(address).NvmeController + "n1";
        await RunAsync("busybox", "losetup", "/dev/loop3", "/dev/" + name);
        try
        {
            ArrakisException fault = Assert.Throws<ArrakisException>(() => daemon.Checks.EnsureBindable(address, []));
            Assert.Equal((ErrorCode.DeviceInUse, $"0000:03:00.0 is in use by the kernel: {name}, loop3 on it."), (fault.Code, fault.Cause));
        }
        finally
        {
            await RunAsync("busybox", "losetup", "-d", "/dev/loop3");
        }

        Assert.False(Native.Storage.BlockDevice.IsClaimed("/dev/" + name));
    }

    [Fact]
    public async Task The_doctor_finds_the_machine_ready()
    {
        string report = await Command.ReadAsync("arrakisctl", ["doctor"], TestContext.Current.CancellationToken); // Fails unless the exit code is 0.

        Assert.DoesNotContain("PROBLEM", report, StringComparison.Ordinal);
        Assert.All(
            [
                "0000:01:00.0 (8086:10c9, driver igb",
                "0 of 7 virtual functions.",
                "0000:02:00.0 (1b36:0010, driver nvme",
                "0 of 4 virtual functions.",
                "Intel, ACPI table DMAR",
                "arrakisd uses the interface cdev with iommufd (/dev/iommu)",
                "128 pages of 2 MiB",
            ],
            text => Assert.Contains(text, report, StringComparison.Ordinal));
    }

    private static PciAddress Address(Support.PciFunction function) => PciAddress.Parse(function.Address);

    private static Task<string> IpAsync(params string[] arguments) => Command.ReadAsync("ip", arguments, TestContext.Current.CancellationToken);

    private static Task RunAsync(string program, params string[] arguments) => Command.RunAsync(program, arguments, TestContext.Current.CancellationToken);

    // A second one over the same folder is the daemon after a crash.
    private PciParts StartDaemon() => PciParts.OfMachine(_runtime, TimeProvider.System, NullLoggerFactory.Instance);
}
