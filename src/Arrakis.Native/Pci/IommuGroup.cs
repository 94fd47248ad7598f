namespace Arrakis.Native.Pci;

/// <summary>The functions that the IOMMU cannot tell apart; they go to one owner together (Documentation/driver-api/vfio.rst).</summary>
public sealed record IommuGroup
{
    private const string NoIommuName = "vfio-noiommu";

    /// <summary>Its number.</summary>
    public required int Number { get; init; }

    /// <summary>Its PCI functions, ordered by address.</summary>
    public required IReadOnlyList<PciFunction> Members { get; init; }

    /// <summary>Names of its devices that are not PCI functions.</summary>
    public IReadOnlyList<string> OtherDevices { get; init; } = [];

    /// <summary>The name that a driver gave it; null for none.</summary>
    public string? Name { get; init; }

    /// <summary>Whether VFIO made it up for a device that no IOMMU stands before.</summary>
    public bool IsNoIommu => Name == NoIommuName;

    /// <summary>What keeps VFIO from using the group: members that are neither ours, nor bridges, nor unbound, nor already VFIO's.</summary>
    /// <param name="ours">Functions that the caller has, or is about to unbind from the kernel's driver.</param>
    public IEnumerable<PciFunction> ForeignMembers(IReadOnlyCollection<PciAddress> ours) =>
        Members.Where(member => !member.IsBridge && member.Driver is not (null or PciFunction.VfioDriver) && !ours.Contains(member.Address));

    /// <summary>Whether VFIO can use the group.</summary>
    /// <param name="ours">Functions that the caller has, or is about to unbind from the kernel's driver.</param>
    public bool IsViable(IReadOnlyCollection<PciAddress> ours) => OtherDevices.Count == 0 && !ForeignMembers(ours).Any();
}
