using System.Globalization;

namespace Arrakis.Native.Pci;

/// <summary>The machine's PCI functions and IOMMU groups, as sysfs shows them (Documentation/ABI/testing/sysfs-bus-pci). It remembers nothing: each call reads anew.</summary>
/// <param name="root">Where sysfs is.</param>
public class PciBus(string root = "/sys")
{
    private const uint MaxClass = 0xFF_FFFF;
    private const int MaxVirtualFunctions = ushort.MaxValue; // TotalVFs is a register of 16 bits.
    private const int MaxNumaNode = 1 << 16;

    /// <summary>Where sysfs is.</summary>
    public string Root { get; } = root;

    /// <summary>Whether the machine has an IOMMU that the kernel uses: it has put devices into groups.</summary>
    public bool HasIommu => Groups().Any(static group => !group.IsNoIommu);

    private string Devices => Path.Combine(Root, "bus/pci/devices");

    private string GroupFolder => Path.Combine(Root, "kernel/iommu_groups");

    /// <summary>Where sysfs shows a function.</summary>
    public string PathOf(PciAddress address) => Path.Combine(Devices, address.ToString());

    /// <summary>Addresses of all functions, ordered.</summary>
    /// <exception cref="SysfsException">sysfs cannot be read.</exception>
    public IReadOnlyList<PciAddress> Addresses() =>
        [.. SysfsFile.Names(Devices).Select(name => PciAddress.TryParse(name, out PciAddress address) ? address : throw new SysfsException(Path.Combine(Devices, name), "is not named as a PCI function")).Order()];

    /// <summary>All functions, ordered by address; those that go away meanwhile are left out.</summary>
    /// <exception cref="SysfsException">sysfs cannot be read, or holds what it must not.</exception>
    public IReadOnlyList<PciFunction> Functions() => [.. Addresses().Select(TryRead).OfType<PciFunction>()];

    /// <summary>Reads a function.</summary>
    /// <exception cref="SysfsException">It is not there, or sysfs holds what it must not.</exception>
    public PciFunction Read(PciAddress address) => TryRead(address) ?? throw new SysfsException(PathOf(address), "is not there: the machine has no such PCI function");

    /// <summary>Reads a function; null where the machine has none there.</summary>
    /// <exception cref="SysfsException">sysfs cannot be read, or holds what it must not.</exception>
    public PciFunction? TryRead(PciAddress address)
    {
        string folder = PathOf(address);
        if (!Directory.Exists(folder))
        {
            return null;
        }

        try
        {
            return Read(address, folder);
        }
        catch (SysfsException) when (!Directory.Exists(folder))
        {
            return null; // It went away while it was read.
        }
    }

    /// <summary>Numbers of all IOMMU groups, ordered.</summary>
    /// <exception cref="SysfsException">sysfs cannot be read.</exception>
    public IReadOnlyList<int> GroupNumbers() => [.. SysfsFile.Names(GroupFolder).Select(name => GroupNumber(name, Path.Combine(GroupFolder, name))).Order()];

    /// <summary>All IOMMU groups, ordered by number.</summary>
    /// <exception cref="SysfsException">sysfs cannot be read, or holds what it must not.</exception>
    public IReadOnlyList<IommuGroup> Groups() => [.. GroupNumbers().Select(TryReadGroup).OfType<IommuGroup>()];

    /// <summary>Reads an IOMMU group; null where there is none of that number.</summary>
    /// <exception cref="SysfsException">sysfs cannot be read, or holds what it must not.</exception>
    public IommuGroup? TryReadGroup(int number)
    {
        string folder = Path.Combine(GroupFolder, number.ToString(CultureInfo.InvariantCulture));
        if (!Directory.Exists(folder))
        {
            return null;
        }

        List<PciFunction> members = [];
        List<string> others = [];
        foreach (string name in SysfsFile.Names(Path.Combine(folder, "devices")))
        {
            if (!PciAddress.TryParse(name, out PciAddress address))
            {
                others.Add(name);
            }
            else if (TryRead(address) is { } member)
            {
                members.Add(member);
            }
        }

        members.Sort(static (left, right) => left.Address.CompareTo(right.Address));
        return new IommuGroup
        {
            Number = number,
            Members = members,
            OtherDevices = others,
            Name = SysfsFile.TryReadText(Path.Combine(folder, "name")) is { Length: > 0 } given ? given : null,
        };
    }

    /// <summary>Whether a driver for PCI functions is in the kernel.</summary>
    public bool HasDriver(string name) => Directory.Exists(Path.Combine(Root, "bus/pci/drivers", name));

    /// <summary>Writes an attribute of a function, such as driver_override. Returns when the kernel has done what it asks for, which may be long.</summary>
    /// <exception cref="LinuxException">The kernel or the driver refuses.</exception>
    public virtual void Write(PciAddress address, string attribute, string value) => SysfsFile.Write(Path.Combine(PathOf(address), attribute), value);

    /// <summary>Asks all drivers whether they want a function that has none (drivers_probe).</summary>
    /// <exception cref="LinuxException">The driver that wants it fails at it.</exception>
    public virtual void Probe(PciAddress address) => SysfsFile.Write(Path.Combine(Root, "bus/pci/drivers_probe"), address.ToString());

    /// <summary>Has a driver take a function that has none.</summary>
    /// <exception cref="LinuxException">There is no such driver (ENOENT), or it does not take the function.</exception>
    public virtual void Bind(PciAddress address, string driver) => SysfsFile.Write(Path.Combine(Root, "bus/pci/drivers", driver, "bind"), address.ToString());

    private static PciFunction Read(PciAddress address, string folder)
    {
        string At(string attribute) => Path.Combine(folder, attribute);

        string? group = SysfsFile.TryReadLinkName(At("iommu_group"));
        int? total = SysfsFile.TryReadNumber(At("sriov_totalvfs"), 0, MaxVirtualFunctions);
        return new PciFunction
        {
            Address = address,
            VendorId = (ushort)SysfsFile.ReadHex(At("vendor"), ushort.MaxValue),
            DeviceId = (ushort)SysfsFile.ReadHex(At("device"), ushort.MaxValue),
            Class = SysfsFile.ReadHex(At("class"), MaxClass),
            NumaNode = SysfsFile.TryReadNumber(At("numa_node"), -1, MaxNumaNode) is int node and >= 0 ? node : null,
            Driver = SysfsFile.TryReadLinkName(At("driver")),
            DriverOverride = SysfsFile.TryReadText(At("driver_override")) is { Length: > 0 } name and not "(null)" ? name : null,
            IommuGroup = group is null ? null : GroupNumber(group, At("iommu_group")),
            PhysicalFunction = SysfsFile.TryReadAddress(At("physfn")),
            VirtualFunctions = ReadVirtualFunctions(folder),
            SriovTotalVfs = total,
            SriovNumVfs = total is null ? null : SysfsFile.TryReadNumber(At("sriov_numvfs"), 0, MaxVirtualFunctions),
            SriovDriversAutoprobe = total is null ? null : SysfsFile.TryReadNumber(At("sriov_drivers_autoprobe"), 0, 1) is int probe ? probe == 1 : null,
            NetworkInterfaces = ReadNetworkInterfaces(folder),
            NvmeController = SysfsFile.Names(At("nvme"), "nvme*").FirstOrDefault(),
            VfioDevice = SysfsFile.Names(At("vfio-dev"), "vfio*").FirstOrDefault(),
        };
    }

    private static PciAddress[] ReadVirtualFunctions(string folder)
    {
        SortedDictionary<int, PciAddress> functions = [];
        foreach (string name in SysfsFile.Names(folder, "virtfn*"))
        {
            string path = Path.Combine(folder, name);
            if (!int.TryParse(name.AsSpan("virtfn".Length), NumberStyles.None, CultureInfo.InvariantCulture, out int index))
            {
                throw new SysfsException(path, "is not numbered as a virtual function");
            }

            if (SysfsFile.TryReadAddress(path) is { } address)
            {
                functions.Add(index, address);
            }
        }

        return [.. functions.Values];
    }

    // A virtio function's interfaces are below its virtio device.
    private static string[] ReadNetworkInterfaces(string folder) =>
        [.. SysfsFile.Names(Path.Combine(folder, "net")), .. SysfsFile.Names(folder, "virtio*").SelectMany(name => SysfsFile.Names(Path.Combine(folder, name, "net")))];

    private static int GroupNumber(string name, string path) =>
        int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : throw new SysfsException(path, $"names '{name}', which is no number of an IOMMU group");
}
