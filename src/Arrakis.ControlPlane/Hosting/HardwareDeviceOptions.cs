using System.Text.Json.Serialization;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Which of VFIO's interfaces is used.</summary>
internal enum VfioChoice
{
    /// <summary>The newer one where the kernel has it.</summary>
    Auto,

    /// <summary>Groups and a type 1 container.</summary>
    Group,

    /// <summary>Character devices and iommufd.</summary>
    Cdev,
}

/// <summary>What becomes of a function whose former holder does not close it.</summary>
internal enum QuarantinePolicy
{
    /// <summary>It goes to nobody else until that process has closed it or ended.</summary>
    Wait,

    /// <summary>That process is killed.</summary>
    Kill,
}

/// <summary>A device whose functions are hardware, held through VFIO.</summary>
internal abstract record HardwareDeviceOptions : NicDeviceOptions
{
    /// <summary>Which of VFIO's interfaces is used.</summary>
    public VfioChoice Vfio { get; set; } = VfioChoice.Auto;

    /// <summary>What becomes of a function whose former holder does not close it.</summary>
    public QuarantinePolicy Quarantine { get; set; } = QuarantinePolicy.Wait;

    /// <summary>How many functions it has.</summary>
    [JsonIgnore]
    internal abstract int FunctionCount { get; }
}

/// <summary>Virtual functions of an SR-IOV NIC, which the daemon makes.</summary>
internal sealed record SriovDeviceOptions : HardwareDeviceOptions
{
    /// <summary>The physical function: the kernel's name of its interface, or its PCI address.</summary>
    public required string PhysicalFunction { get; init; }

    /// <summary>Virtual functions.</summary>
    public int Functions { get; set; } = 2;

    /// <summary>The VLAN that all functions are in, which the NIC adds and takes away; null is none.</summary>
    public int? Vlan { get; set; }

    /// <summary>Whether the NIC drops frames with another source address than the function's own.</summary>
    public bool SpoofCheck { get; set; } = true;

    /// <summary>Whether functions may ask for promiscuous reception and for other addresses.</summary>
    public bool Trust { get; set; }

    /// <inheritdoc/>
    internal override int FunctionCount => Functions;
}

/// <summary>PCI functions that are named one by one, such as a virtual machine's virtio-net.</summary>
internal sealed record PciDeviceOptions : HardwareDeviceOptions
{
    /// <summary>Their PCI addresses.</summary>
    public required IReadOnlyList<string> Functions { get; init; }

    /// <inheritdoc/>
    internal override int FunctionCount => Functions.Count;
}
