using System.Numerics;

namespace Arrakis.Wire.Rings;

/// <summary>
/// Where the parts of a block queue lie, as offsets into queue memory: its ring, and after it the command area, memory of the
/// driver's for what each command needs beside its entry in the ring.
/// </summary>
/// <remarks>
/// <para>
/// A virtio-blk request (virtio 1.2 §5.2.6) has one cache line that the driver writes: the header and, where the device takes
/// indirect descriptors, the table of them. After the lines come the segments of discard and write zeroes, which the driver writes
/// too, and after those, on cache lines of their own, the status bytes, which the device writes.
/// </para>
/// <para>An NVMe command has a PRP list (NVMe 2.0 §4.1.1): a power of two of bytes that no page border cuts.</para>
/// </remarks>
/// <param name="Ring">The ring.</param>
/// <param name="CommandArea">Byte offset of the command area.</param>
/// <param name="MaxTransferLength">The most bytes of one request; what a PRP list has room for.</param>
public readonly record struct BlockQueueLayout(RingLayout Ring, long CommandArea, int MaxTransferLength)
{
    /// <summary>Bytes of a request's header (virtio 1.2 §5.2.6).</summary>
    public const int HeaderLength = 16;

    /// <summary>Bytes of a request's line: the header, then a table of three descriptors.</summary>
    public const int RequestLength = 64;

    /// <summary>Bytes of the segment of a discard or write zeroes (virtio 1.2 §5.2.6).</summary>
    public const int SegmentLength = 16;

    /// <summary>Alignment of the command area: a page, which no PRP list may cross.</summary>
    public const int CommandAreaAlignment = 4096;

    /// <summary>The most bytes of one request in any queue: what one PRP list of a page can say.</summary>
    public const int MaxMaxTransferLength = 1 << 20;

    private const int PageLength = 4096;
    private const int PrpLength = 8;

    /// <summary>Commands for which there is room: as many as the ring has entries.</summary>
    public int Count => Ring.QueueSize;

    /// <summary>Byte offset of the segments; virtio only.</summary>
    public long SegmentArea => CommandArea + (long)Count * RequestLength;

    /// <summary>Byte offset of the status bytes; virtio only.</summary>
    public long StatusArea => Align(SegmentArea + (long)Count * SegmentLength, RingLayout.PartAlignment);

    /// <summary>Bytes of a command's PRP list; NVMe only.</summary>
    public int PrpListLength => (int)Math.Max(64, BitOperations.RoundUpToPowerOf2((uint)(MaxTransferLength / PageLength * PrpLength)));

    /// <summary>Bytes of the command area.</summary>
    public long CommandAreaLength => Ring.Format == RingFormat.Nvme
        ? (long)Count * PrpListLength
        : Align(StatusArea + Count, RingLayout.PartAlignment) - CommandArea;

    /// <summary>The first byte after all parts.</summary>
    public long End => Math.Max(Ring.End, CommandArea + CommandAreaLength);

    /// <summary>Lays a queue out from <paramref name="offset"/> on.</summary>
    /// <param name="format">The ring's format.</param>
    /// <param name="offset">Where the queue may begin.</param>
    /// <param name="queueSize">Entries of the ring.</param>
    /// <param name="maxTransferLength">The most bytes of one request, 512 to <see cref="MaxMaxTransferLength"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is none that the format may have.</exception>
    public static BlockQueueLayout At(RingFormat format, long offset, int queueSize, int maxTransferLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTransferLength, 512);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxTransferLength, MaxMaxTransferLength);
        var ring = RingLayout.At(format, offset, queueSize);
        return new BlockQueueLayout(ring, Align(ring.End, CommandAreaAlignment), maxTransferLength);
    }

    /// <summary>Whether every part is aligned and inside a region of <paramref name="length"/> bytes, and the command area after the ring or before it.</summary>
    public bool FitsIn(long length) =>
        Ring.FitsIn(length)
        && MaxTransferLength is >= 512 and <= MaxMaxTransferLength
        && CommandArea >= 0
        && CommandArea % CommandAreaAlignment == 0
        && CommandAreaLength <= length
        && CommandArea <= length - CommandAreaLength;

    /// <summary>Byte offset of a request's line.</summary>
    public long RequestOf(int tag) => CommandArea + (long)tag * RequestLength;

    /// <summary>Byte offset of a request's segment.</summary>
    public long SegmentOf(int tag) => SegmentArea + (long)tag * SegmentLength;

    /// <summary>Byte offset of a request's status byte.</summary>
    public long StatusOf(int tag) => StatusArea + tag;

    /// <summary>Byte offset of a command's PRP list.</summary>
    public long PrpListOf(int tag) => CommandArea + (long)tag * PrpListLength;

    private static long Align(long offset, long alignment) => (offset + alignment - 1) & ~(alignment - 1);
}
