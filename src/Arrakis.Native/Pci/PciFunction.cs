namespace Arrakis.Native.Pci;

/// <summary>What the kernel says of a PCI function at one moment.</summary>
public sealed record PciFunction
{
    /// <summary>The driver that hands functions to processes.</summary>
    public const string VfioDriver = "vfio-pci";

    private const uint BridgeClass = 0x06;
    private const uint NetworkClass = 0x02;
    private const uint NvmeClass = 0x01_08_02;

    /// <summary>Where it is.</summary>
    public required PciAddress Address { get; init; }

    /// <summary>Who made it, such as 0x8086.</summary>
    public required ushort VendorId { get; init; }

    /// <summary>What it is, in its maker's numbers.</summary>
    public required ushort DeviceId { get; init; }

    /// <summary>Class, subclass and programming interface in 24 bits, such as 0x020000 for Ethernet.</summary>
    public required uint Class { get; init; }

    /// <summary>The NUMA node that it is nearest to; null where the firmware does not say.</summary>
    public int? NumaNode { get; init; }

    /// <summary>The driver that it is bound to; null for none.</summary>
    public string? Driver { get; init; }

    /// <summary>The only driver that may bind it; null lets the ids decide.</summary>
    public string? DriverOverride { get; init; }

    /// <summary>The number of its IOMMU group; null where there is no IOMMU.</summary>
    public int? IommuGroup { get; init; }

    /// <summary>Of a virtual function, whose it is.</summary>
    public PciAddress? PhysicalFunction { get; init; }

    /// <summary>The virtual functions that it has now, by number.</summary>
    public IReadOnlyList<PciAddress> VirtualFunctions { get; init; } = [];

    /// <summary>How many virtual functions it can have; null where it has no SR-IOV.</summary>
    public int? SriovTotalVfs { get; init; }

    /// <summary>How many virtual functions are switched on; null where it has no SR-IOV.</summary>
    public int? SriovNumVfs { get; init; }

    /// <summary>Whether drivers are asked whether they want new virtual functions; null where it has no SR-IOV.</summary>
    public bool? SriovDriversAutoprobe { get; init; }

    /// <summary>The kernel's interfaces on it, in this network namespace.</summary>
    public IReadOnlyList<string> NetworkInterfaces { get; init; } = [];

    /// <summary>The kernel's NVMe controller on it, such as nvme0.</summary>
    public string? NvmeController { get; init; }

    /// <summary>The character device of VFIO's cdev interface, such as vfio3 of /dev/vfio/devices; null where it is not bound to VFIO or the kernel has none.</summary>
    public string? VfioDevice { get; init; }

    /// <summary>Whether it is a bridge, which is no end point of any transfer.</summary>
    public bool IsBridge => Class >> 16 == BridgeClass;

    /// <summary>Whether it is a network interface.</summary>
    public bool IsNetwork => Class >> 16 == NetworkClass;

    /// <summary>Whether it is an NVMe controller.</summary>
    public bool IsNvme => Class == NvmeClass;

    /// <summary>Whether it is a virtual function.</summary>
    public bool IsVirtualFunction => PhysicalFunction is not null;
}
