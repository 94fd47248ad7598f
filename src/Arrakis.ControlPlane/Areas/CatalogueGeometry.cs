namespace Arrakis.ControlPlane.Areas;

/// <summary>The device that a catalogue divides.</summary>
/// <param name="BlockSize">Bytes of a block: a power of two, 512 to 65536.</param>
/// <param name="BlockCount">Blocks of the device.</param>
/// <param name="UnitBlocks">Blocks of a unit of allocation: extents begin and end at units.</param>
internal sealed record CatalogueGeometry(int BlockSize, long BlockCount, int UnitBlocks)
{
    internal const int DefaultUnitLength = 1 << 20;
    internal const int MaxUnitBlocks = 1 << 21; // 1 GiB of 512 bytes.

    /// <summary>Blocks that whole units cover; what is left at the end is not used.</summary>
    internal long UsableBlocks => BlockCount - BlockCount % UnitBlocks;

    internal bool IsValid =>
        BlockSize is >= 512 and <= 65536 && (BlockSize & (BlockSize - 1)) == 0
        && UnitBlocks is > 0 and <= MaxUnitBlocks
        && BlockCount >= UnitBlocks && BlockCount <= long.MaxValue / BlockSize;

    /// <summary>The geometry of a device with the usual unit of allocation.</summary>
    internal static CatalogueGeometry Of(int blockSize, long blockCount) => new(blockSize, blockCount, Math.Max(1, DefaultUnitLength / blockSize));
}
