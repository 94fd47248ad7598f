using Arrakis.Native.Pci;
using Arrakis.TestBed.Machine;

namespace Arrakis.Native.Tests;

public sealed class PciTests : IDisposable
{
    private readonly PciTree _tree = new();

    public void Dispose() => _tree.Dispose();

    [Theory]
    [InlineData("0000:01:10.0", 0, 1, 16, 0)]
    [InlineData("01:10.0", 0, 1, 16, 0)]
    [InlineData("ffff:ff:1f.7", 0xffff, 0xff, 0x1f, 7)]
    [InlineData("10000:e1:00.0", 0x10000, 0xe1, 0, 0)]
    [InlineData("0000:0A:0b.1", 0, 10, 11, 1)]
    public void An_address_is_read(string text, uint domain, byte bus, byte device, byte function)
    {
        PciAddress address = PciAddress.Parse(text);

        Assert.Equal(new PciAddress(domain, bus, device, function), address);
        Assert.Equal(address, PciAddress.Parse(address.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("01:10")]
    [InlineData("0000:01:20.0")]
    [InlineData("0000:01:10.8")]
    [InlineData("0000:01:10.f")]
    [InlineData("000:01:10.0")]
    [InlineData("0000:01:10:0")]
    [InlineData("0000-01:10.0")]
    [InlineData("0000:0 :10.0")]
    [InlineData("0000:+1:10.0")]
    [InlineData("123456789:01:10.0")]
    [InlineData("0000:01:10.00")]
    public void What_is_no_address_is_refused(string text)
    {
        Assert.False(PciAddress.TryParse(text, out _));
        Assert.Throws<FormatException>(() => PciAddress.Parse(text));
    }

    [Fact]
    public void Addresses_are_ordered_by_domain_bus_device_and_function()
    {
        PciAddress[] ordered = [.. "0000:01:00.1 0000:02:00.0 0001:00:00.0 0000:01:00.0 0000:01:01.0".Split(' ').Select(PciAddress.Parse).Order()];

        Assert.Equal("0000:01:00.0 0000:01:00.1 0000:01:01.0 0000:02:00.0 0001:00:00.0", string.Join(' ', ordered));
    }

    [Fact]
    public void A_function_is_read_with_all_that_sysfs_says_of_it()
    {
        PciAddress address = _tree.Add("0000:01:00.0", driver: "igb", group: 7, sriov: 7);
        _tree.AddInterface(address, "eth3");
        _tree.Put(address, "numa_node", "1");
        _tree.Write(address, "sriov_drivers_autoprobe", "0");
        _tree.Write(address, "sriov_numvfs", "2");
        PciFunction physical = _tree.Read(address);

        Assert.Equal((0x8086, 0x10c9, 0x020000u), (physical.VendorId, physical.DeviceId, physical.Class));
        Assert.Equal((1, "igb", null, 7), (physical.NumaNode, physical.Driver, physical.DriverOverride, physical.IommuGroup));
        Assert.Equal((7, 2, false), (physical.SriovTotalVfs, physical.SriovNumVfs, physical.SriovDriversAutoprobe));
        Assert.Equal(["eth3"], physical.NetworkInterfaces);
        Assert.Equal(["0000:01:10.0", "0000:01:10.2"], physical.VirtualFunctions.Select(static vf => vf.ToString()));
        Assert.Equal((true, false, false, false), (physical.IsNetwork, physical.IsNvme, physical.IsBridge, physical.IsVirtualFunction));

        PciFunction function = _tree.Read(physical.VirtualFunctions[1]);
        Assert.Equal((address, true, null, null), (function.PhysicalFunction, function.IsVirtualFunction, function.SriovTotalVfs, function.NumaNode));
    }

    [Fact]
    public void An_NVMe_controller_a_VFIO_device_and_a_virtio_interface_are_found()
    {
        PciAddress disk = _tree.Add("0000:02:00.0", "1b36:0010", "0x010802", "nvme");
        _tree.AddDisk(disk, "nvme/nvme4/nvme4n1", "259:0");
        PciAddress taken = _tree.Add("0000:03:00.0", driver: "vfio-pci");
        _tree.Put(taken, "vfio-dev/vfio5/dev", "510:5");
        PciAddress virtio = _tree.Add("0000:04:00.0", "1af4:1041", driver: "virtio-pci");
        _tree.Put(virtio, "virtio2/net/eth9/address", "52:54:00:00:00:01");

        Assert.Equal(("nvme4", true), (_tree.Read(disk).NvmeController, _tree.Read(disk).IsNvme));
        Assert.Equal("vfio5", _tree.Read(taken).VfioDevice);
        Assert.Equal(["eth9"], _tree.Read(virtio).NetworkInterfaces);
    }

    [Fact]
    public void A_group_is_viable_when_its_members_are_ours_bridges_unbound_or_VFIOs()
    {
        PciAddress first = _tree.Add("0000:01:00.0", driver: "igb", group: 7);
        PciAddress second = _tree.Add("0000:01:00.1", driver: "igb", group: 7);
        _tree.Add("0000:00:01.0", type: "0x060400", driver: "pcieport", group: 7);
        _tree.Add("0000:01:00.2", driver: "vfio-pci", group: 7);
        _tree.Add("0000:01:00.3", group: 7);
        _tree.Add("0000:02:00.0", driver: "e1000e", group: 8);
        IommuGroup group = _tree.TryReadGroup(7)!;

        Assert.Equal([7, 8], _tree.GroupNumbers());
        Assert.Equal(5, group.Members.Count);
        Assert.False(group.IsViable([]));
        Assert.Equal([second], group.ForeignMembers([first]).Select(static member => member.Address));
        Assert.True(group.IsViable([first, second]));
        Assert.Null(_tree.TryReadGroup(9));
        Assert.True(_tree.HasIommu);
    }

    [Fact]
    public void Members_of_a_group_that_are_not_of_PCI_make_it_not_viable()
    {
        PciAddress address = _tree.Add("0000:01:00.0", group: 7);
        _tree.PutSys("kernel/iommu_groups/7/devices/serial8250", "");

        Assert.Equal(["serial8250"], _tree.TryReadGroup(7)!.OtherDevices);
        Assert.False(_tree.TryReadGroup(7)!.IsViable([address]));
    }

    [Fact]
    public void A_group_that_VFIO_made_up_is_no_IOMMU()
    {
        _tree.Add("0000:01:00.0", driver: "vfio-pci", group: 0);
        _tree.PutSys("kernel/iommu_groups/0/name", "vfio-noiommu");

        Assert.True(_tree.TryReadGroup(0)!.IsNoIommu);
        Assert.False(_tree.HasIommu);
    }

    [Theory]
    [InlineData("vendor", "8086")]
    [InlineData("vendor", "0x18086")]
    [InlineData("device", "")]
    [InlineData("class", "0x1000000")]
    [InlineData("class", "ethernet")]
    [InlineData("numa_node", "-2")]
    [InlineData("numa_node", "first")]
    [InlineData("sriov_totalvfs", "65536")]
    [InlineData("sriov_numvfs", "-1")]
    [InlineData("sriov_drivers_autoprobe", "2")]
    [InlineData("driver_override", "v\u0001fio")]
    public void What_a_file_must_not_hold_is_an_error_that_names_the_file(string attribute, string value)
    {
        PciAddress address = _tree.Add("0000:01:00.0", sriov: 7);
        _tree.Put(address, attribute, value);
        SysfsException fault = Assert.Throws<SysfsException>(() => _tree.Read(address));

        Assert.Equal(Path.Combine(_tree.PathOf(address), attribute), fault.Path);
    }

    [Theory]
    [InlineData("physfn", "0000:01:00.9")]
    [InlineData("virtfn0", "nobody")]
    [InlineData("virtfnX", "0000:01:10.0")]
    [InlineData("iommu_group", "seven")]
    public void A_link_that_leads_to_nothing_of_its_kind_is_an_error(string link, string target)
    {
        PciAddress address = _tree.Add("0000:01:00.0");
        PciTree.Link(Path.Combine(_tree.PathOf(address), link), "/made/up/" + target);

        Assert.Equal(Path.Combine(_tree.PathOf(address), link), Assert.Throws<SysfsException>(() => _tree.Read(address)).Path);
    }

    [Fact]
    public void A_function_that_is_not_there_is_null_or_an_error()
    {
        PciAddress address = PciAddress.Parse("0000:09:00.0");

        Assert.Null(_tree.TryRead(address));
        Assert.Contains("0000:09:00.0", Assert.Throws<SysfsException>(() => _tree.Read(address)).Path, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_without_PCI_has_no_functions_and_no_groups()
    {
        var bus = new PciBus(Path.Combine(_tree.Root, "nothing"));

        Assert.Empty(bus.Functions());
        Assert.Empty(bus.Groups());
        Assert.False(bus.HasIommu);
        Assert.False(bus.HasDriver("vfio-pci"));
    }

    [Fact]
    public void The_machines_own_functions_are_read()
    {
        var bus = new PciBus();

        Assert.Equal(Directory.Exists("/sys/bus/pci/devices") ? Directory.GetFileSystemEntries("/sys/bus/pci/devices").Length : 0, bus.Functions().Count);
    }

    [Fact]
    public void An_attribute_is_written_whole_and_one_that_is_not_there_is_an_error()
    {
        PciAddress address = _tree.Add("0000:01:00.0");
        var bus = new PciBus(_tree.Root);
        _tree.Put(address, "driver_override", "");
        bus.Write(address, "driver_override", "vfio-pci");

        Assert.Equal("vfio-pci", bus.Read(address).DriverOverride);
        Assert.Equal(Tmds.Linux.LibC.ENOENT, Assert.Throws<LinuxException>(() => bus.Write(address, "sriov_numvfs", "1")).Errno);
        Assert.Equal(Tmds.Linux.LibC.ENOENT, Assert.Throws<LinuxException>(() => bus.Bind(address, "igb")).Errno);
    }
}
