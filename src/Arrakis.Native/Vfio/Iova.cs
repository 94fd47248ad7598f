namespace Arrakis.Native.Vfio;

/// <summary>An I/O virtual address: what a device puts on the bus, and the IOMMU translates.</summary>
/// <param name="Value">The address.</param>
public readonly record struct Iova(ulong Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"0x{Value:x}";
}
