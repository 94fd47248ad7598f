namespace Arrakis.Native.Vfio;

/// <summary>A region of a function: a BAR, or its configuration space.</summary>
/// <param name="Offset">Where it begins in the device's file.</param>
/// <param name="Length">Bytes; zero for a BAR that the function does not have.</param>
/// <param name="CanMap">Whether it can be mapped.</param>
public readonly record struct VfioRegion(long Offset, long Length, bool CanMap)
{
    /// <summary>Index of the configuration space; BARs have 0 to 5 (VFIO_PCI_CONFIG_REGION_INDEX).</summary>
    public const int Configuration = 7;
}
