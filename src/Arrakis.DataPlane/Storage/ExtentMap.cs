using System.Runtime.CompilerServices;
using Arrakis.Contract;

namespace Arrakis.DataPlane.Storage;

/// <summary>Where an area's blocks are on what its queues address.</summary>
internal sealed class ExtentMap
{
    private readonly long _start; // Of the only extent.
    private readonly long _count; // Of all blocks.
    private readonly BlockExtent[]? _extents; // Where there are several.
    private readonly long[] _firsts; // Of each extent: its first block, in the area.

    /// <param name="extents">Checked extents, in the area's order.</param>
    public ExtentMap(IReadOnlyList<BlockExtent> extents)
    {
        _start = extents[0].Start;
        _firsts = new long[extents.Count];
        for (int i = 0; i < extents.Count; i++)
        {
            _firsts[i] = _count;
            _count += extents[i].Count;
        }

        _extents = extents.Count == 1 ? null : [.. extents];
    }

    /// <summary>The device's address of a block of the area.</summary>
    /// <param name="block">The block; in the area.</param>
    /// <param name="run">Blocks that follow each other from there on, that one included.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long Translate(long block, out long run)
    {
        if (_extents is not null)
        {
            return Find(block, out run);
        }

        run = _count - block;
        return _start + block;
    }

    private long Find(long block, out long run)
    {
        int index = Array.BinarySearch(_firsts, block);
        if (index < 0)
        {
            index = ~index - 1;
        }

        BlockExtent extent = _extents![index];
        long within = block - _firsts[index];
        run = extent.Count - within;
        return extent.Start + within;
    }
}
