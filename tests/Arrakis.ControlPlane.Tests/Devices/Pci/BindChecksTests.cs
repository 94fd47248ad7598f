using Arrakis.Contract;
using Arrakis.Native.Pci;
using Arrakis.TestBed.Machine;

namespace Arrakis.ControlPlane.Tests.Devices.Pci;

public sealed class BindChecksTests : IDisposable
{
    private const string RouteHead = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
    private readonly PciTree _tree = new();
    private readonly PciAddress _disk;
    private readonly PciAddress _nic;

    public BindChecksTests()
    {
        _disk = _tree.Add("0000:02:00.0", "1b36:0010", "0x010802", "nvme", group: 8);
        _tree.AddDisk(_disk, "nvme/nvme0/nvme0n1", "259:0");
        _tree.AddDisk(_disk, "nvme/nvme0/nvme0n1/nvme0n1p1", "259:1");
        _nic = _tree.Add("0000:01:00.0", driver: "igb", group: 7);
        _tree.AddInterface(_nic, "eth0");
    }

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void A_disk_and_an_interface_that_nobody_uses_may_be_taken()
    {
        Check(_disk);
        Check(_nic);
    }

    [Theory]
    [InlineData("30 1 259:1 / /srv/data rw shared:1 - ext4 /dev/nvme0n1p1 rw", "nvme0n1p1 is mounted at /srv/data", "Unmount it (umount /srv/data)")]
    [InlineData("30 1 259:0 / /srv/a\\040b rw - xfs /dev/root rw", "nvme0n1 is mounted at /srv/a b", "Unmount it (umount /srv/a b)")]
    [InlineData("30 1 0:40 / /srv rw - btrfs /dev/nvme0n1p1 rw", "nvme0n1p1 is mounted at /srv", "Unmount it (umount /srv)")]
    public void A_mounted_disk_is_refused(string mount, string what, string remedy)
    {
        _tree.WriteProc("self/mountinfo", $"a line that makes no sense\n{mount}\n");

        Refused(_disk, what, remedy);
    }

    [Fact]
    public void A_swap_area_is_refused()
    {
        _tree.WriteProc("swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/nvme0n1p1                           partition\t1048572\t0\t-2\n");

        Refused(_disk, "nvme0n1p1 is a swap area", "Switch it off (swapoff /dev/nvme0n1p1)");
    }

    [Fact]
    public void A_disk_below_a_mounted_volume_is_refused_with_the_way_to_it()
    {
        _tree.AddDisk(null, "virtual/block/md0", "9:0");
        _tree.AddDisk(null, "virtual/block/dm-3", "253:3");
        _tree.AddHolder("nvme0n1p1", "md0");
        _tree.AddHolder("md0", "dm-3");
        _tree.WriteProc("self/mountinfo", "30 1 253:3 / /home rw - ext4 /dev/mapper/home rw\n");

        Refused(_disk, "nvme0n1p1, md0 on it, dm-3 on it is mounted at /home", "Unmount it (umount /home)");
    }

    [Fact]
    public void A_disk_in_a_volume_or_loop_device_that_is_not_mounted_is_refused()
    {
        _tree.AddDisk(null, "virtual/block/loop4", "7:4");
        _tree.PutSys("class/block/loop4/loop/backing_file", "/dev/nvme0n1");

        Refused(_disk, "nvme0n1, loop4 on it", "Take loop4 apart (dmsetup, vgchange -an, mdadm --stop or losetup -d)");
    }

    [Fact]
    public void A_namespace_with_several_paths_is_found_at_its_subsystem()
    {
        PciAddress controller = _tree.Add("0000:03:00.0", "1b36:0010", "0x010802", "nvme", group: 9);
        _ = Directory.CreateDirectory(Path.Combine(_tree.PathOf(controller), "nvme/nvme1"));
        _tree.AddDisk(null, "virtual/nvme-subsystem/nvme-subsys1/nvme1n1", "259:5");
        string subsystem = Path.Combine(_tree.Root, "devices/virtual/nvme-subsystem/nvme-subsys1");
        PciTree.Link(Path.Combine(_tree.Root, "class/nvme-subsystem/nvme-subsys1"), subsystem);
        PciTree.Link(Path.Combine(subsystem, "nvme1"), Path.Combine(_tree.PathOf(controller), "nvme/nvme1"));
        Check(controller);
        _tree.WriteProc("self/mountinfo", "30 1 259:5 / /srv rw - ext4 /dev/nvme1n1 rw\n");

        Refused(controller, "nvme1n1 is mounted at /srv", "Unmount it (umount /srv)");
    }

    [Fact]
    public void A_disk_that_somebody_has_for_himself_out_of_sight_is_refused()
    {
        ArrakisException fault = Assert.Throws<ArrakisException>(() => new PciDaemon(_tree, isClaimed: static name => name == "nvme0n1p1").Checks.EnsureBindable(_disk, []));

        Assert.Equal(ErrorCode.DeviceInUse, fault.Code);
        Assert.Contains("nvme0n1p1 is claimed", fault.Cause, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("net/route", RouteHead + "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")]
    [InlineData("net/ipv6_route", "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n")]
    public void The_interface_with_the_default_route_is_refused(string file, string routes)
    {
        _tree.WriteProc(file, routes);

        Refused(_nic, "eth0 carries the default route", "Route by another interface first");
    }

    [Theory]
    [InlineData("net/route", RouteHead + "eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n")] // Of its own network.
    [InlineData("net/route", RouteHead + "eth0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n")] // Half of all addresses.
    [InlineData("net/route", RouteHead + "eth1\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")] // Another's.
    [InlineData("net/ipv6_route", "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200     eth0\n")] // Unreachable.
    [InlineData("net/route", "\n\neth0 00000000\n")]
    public void An_interface_with_other_routes_may_be_taken(string file, string routes)
    {
        _tree.WriteProc(file, routes);

        Check(_nic);
    }

    [Fact]
    public void An_interface_whose_VLAN_carries_the_default_route_is_refused()
    {
        _tree.AddInterface(null, "eth0.5");
        _tree.LinkInterface("eth0", "upper_eth0.5", "eth0.5");
        _tree.WriteProc("net/route", RouteHead + "eth0.5\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");

        Refused(_nic, "eth0.5 on eth0 carries the default route", "Route by another interface first");
    }

    [Fact]
    public void A_port_of_a_bridge_or_bond_is_refused()
    {
        _tree.AddInterface(null, "br0");
        _tree.LinkInterface("eth0", "master", "br0");

        Refused(_nic, "eth0 is part of br0", "Take it out (ip link set eth0 nomaster)");
    }

    [Fact]
    public void A_physical_function_with_virtual_ones_is_refused()
    {
        PciAddress physical = _tree.Add("0000:04:00.0", driver: "igb", group: 10, sriov: 7);
        _tree.Write(physical, "sriov_numvfs", "2");
        ArrakisException fault = Throws(physical);

        Assert.Equal((ErrorCode.DeviceInUse, "0000:04:00.0 has 2 virtual functions switched on."), (fault.Code, fault.Cause));
    }

    [Fact]
    public void A_group_with_devices_of_others_is_refused_by_their_names()
    {
        _tree.Add("0000:01:00.1", driver: "igb", group: 7);
        _tree.Add("0000:01:00.2", driver: "vfio-pci", group: 7);
        _tree.Add("0000:01:00.3", group: 7);
        _tree.Add("0000:00:01.0", type: "0x060400", driver: "pcieport", group: 7);
        ArrakisException fault = Throws(_nic);

        Assert.Equal(ErrorCode.ForeignGroup, fault.Code);
        Assert.Equal("0000:01:00.0 shares IOMMU group 7 with 0000:01:00.1 (driver igb), which the IOMMU cannot tell from it.", fault.Cause);
        new PciDaemon(_tree).Checks.EnsureBindable(_nic, [PciAddress.Parse("0000:01:00.1")]);
    }

    [Fact]
    public void Without_an_IOMMU_a_function_is_refused_also_where_VFIO_would_give_it()
    {
        PciAddress bare = _tree.Add("0000:05:00.0", driver: "igb");
        _tree.PutSys("module/vfio/parameters/enable_unsafe_noiommu_mode", "Y");
        ArrakisException fault = Throws(bare);
        Assert.Equal(ErrorCode.NoIommu, fault.Code);
        Assert.Contains("intel_iommu=on", fault.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_that_VFIO_made_up_is_no_IOMMU()
    {
        PciAddress bare = _tree.Add("0000:05:00.0", driver: "vfio-pci", group: 20);
        _tree.PutSys("kernel/iommu_groups/20/name", "vfio-noiommu");

        Assert.Equal(ErrorCode.NoIommu, Throws(bare).Code);
    }

    [Theory]
    [InlineData("0000:0f:00.0", ErrorCode.UnknownDevice)]
    [InlineData("0000:00:02.0", ErrorCode.InvalidRequest)]
    public void What_is_not_there_and_what_is_a_bridge_is_refused(string address, ErrorCode code)
    {
        _tree.Add("0000:00:02.0", type: "0x060400", driver: "pcieport");

        Assert.Equal(code, Throws(PciAddress.Parse(address)).Code);
    }

    private void Check(PciAddress address) => new PciDaemon(_tree).Checks.EnsureBindable(address, []);

    private ArrakisException Throws(PciAddress address) => Assert.Throws<ArrakisException>(() => Check(address));

    private void Refused(PciAddress address, string what, string remedy)
    {
        ArrakisException fault = Throws(address);

        Assert.Equal(ErrorCode.DeviceInUse, fault.Code);
        Assert.Equal($"{address} is in use by the kernel: {what}.", fault.Cause);
        Assert.Equal($"{remedy}, or name another function.", fault.Remedy);
    }
}
