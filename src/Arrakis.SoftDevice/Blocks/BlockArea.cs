using Arrakis.Contract;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>What a block function shows: extents of the backing file, one after the other, as a disk from 0 on. It does not change.</summary>
internal sealed class BlockArea
{
    private readonly long[] _starts; // of each extent, in the area
    private readonly long[] _places; // and in the file

    /// <param name="extents">The extents, in blocks.</param>
    /// <param name="blockSize">Bytes of a block.</param>
    /// <param name="fileLength">Bytes of the file.</param>
    /// <param name="isReadOnly">Whether writes are refused.</param>
    /// <exception cref="ArrakisException">An extent is empty, or not inside the file.</exception>
    public BlockArea(IReadOnlyList<BlockExtent> extents, int blockSize, long fileLength, bool isReadOnly)
    {
        IsReadOnly = isReadOnly;
        long blocks = fileLength / blockSize;
        var starts = new List<long>();
        var places = new List<long>();
        long end = -1;
        foreach (BlockExtent extent in extents)
        {
            if (extent.Start < 0 || extent.Count < 1 || extent.Start > blocks || extent.Count > blocks - extent.Start)
            {
                throw new ArrakisException(
                    ErrorCode.InvalidRequest,
                    $"{extent.Count} blocks from {extent.Start} on are no extent of a file of {blocks} blocks.",
                    "Give extents of at least one block that are inside the file.");
            }

            // The same blocks twice may be more bytes than a number holds; they are not one area's then.
            if (Length > long.MaxValue - extent.Count * blockSize)
            {
                throw new ArrakisException(ErrorCode.InvalidRequest, "The extents are more than 2^63 bytes.", "Give each extent once.");
            }

            if (extent.Start * blockSize != end)
            {
                starts.Add(Length);
                places.Add(extent.Start * blockSize);
            }

            Length += extent.Count * blockSize;
            end = (extent.Start + extent.Count) * blockSize;
        }

        _starts = [.. starts];
        _places = [.. places];
    }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    /// <summary>Whether writes are refused.</summary>
    public bool IsReadOnly { get; }

    /// <summary>Where a range begins in the file, and how much of it is there in one piece.</summary>
    /// <param name="offset">Where it begins in the area.</param>
    /// <param name="length">Bytes: at least one, and all inside the area.</param>
    public (long Place, long Length) Find(long offset, long length)
    {
        int low = 0;
        int high = _starts.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (_starts[middle] <= offset)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        long end = low + 1 < _starts.Length ? _starts[low + 1] : Length;
        return (_places[low] + (offset - _starts[low]), Math.Min(length, end - offset));
    }
}
