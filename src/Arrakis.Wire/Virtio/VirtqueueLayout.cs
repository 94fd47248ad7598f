using System.Numerics;

namespace Arrakis.Wire.Virtio;

/// <summary>
/// Where the three areas of a virtqueue lie, as offsets into queue memory (virtio 1.2 §2.6). Each starts on a cache line
/// of its own pair, so that driver-written and device-written lines never mix.
/// </summary>
/// <param name="Format">Split or packed.</param>
/// <param name="QueueSize">Descriptors in the ring: a power of two, 2 to 32768.</param>
/// <param name="DescriptorArea">Byte offset of the descriptor table or ring (16-byte aligned).</param>
/// <param name="DriverArea">Byte offset of the available ring (2-byte aligned), or of the driver's event suppression (4-byte aligned).</param>
/// <param name="DeviceArea">Byte offset of the used ring, or of the device's event suppression (4-byte aligned).</param>
public readonly record struct VirtqueueLayout(VirtqueueFormat Format, int QueueSize, long DescriptorArea, long DriverArea, long DeviceArea)
{
    /// <summary>The smallest queue.</summary>
    public const int MinQueueSize = 2;

    /// <summary>The largest queue (§2.7, §2.8.10.1).</summary>
    public const int MaxQueueSize = 32768;

    /// <summary>The largest offset at which a ring is laid out; far beyond any memory, and no sum with it overflows.</summary>
    public const long MaxOffset = 1L << 48;

    /// <summary>Alignment of each part.</summary>
    public const int PartAlignment = 128;

    /// <summary>Bytes of the descriptor area: sixteen a descriptor in both formats.</summary>
    public long DescriptorAreaLength => (long)QueueSize * SplitFormat.DescriptorSize;

    /// <summary>Bytes of the driver area, used_event included.</summary>
    public long DriverAreaLength => Format == VirtqueueFormat.Packed
        ? PackedFormat.EventSize
        : SplitFormat.EntriesOffset + (long)QueueSize * SplitFormat.AvailableEntrySize + SplitFormat.EventSize;

    /// <summary>Bytes of the device area, avail_event included.</summary>
    public long DeviceAreaLength => Format == VirtqueueFormat.Packed
        ? PackedFormat.EventSize
        : SplitFormat.EntriesOffset + (long)QueueSize * SplitFormat.UsedEntrySize + SplitFormat.EventSize;

    /// <summary>The first byte after all three areas.</summary>
    public long End => Math.Max(DescriptorArea + DescriptorAreaLength, Math.Max(DriverArea + DriverAreaLength, DeviceArea + DeviceAreaLength));

    /// <summary>
    /// Whether a size is one that a ring may have. A packed ring may have any (§2.8.10.1), but an index that a mask bounds
    /// is worth more than the sizes in between.
    /// </summary>
    public static bool IsValidQueueSize(int size) => size is >= MinQueueSize and <= MaxQueueSize && BitOperations.IsPow2(size);

    /// <summary>Lays a ring out from <paramref name="offset"/> on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size is no power of two from 2 to 32768, or the offset is negative or over <see cref="MaxOffset"/>.</exception>
    public static VirtqueueLayout At(VirtqueueFormat format, long offset, int queueSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, MaxOffset);
        if (!IsValidQueueSize(queueSize))
        {
            throw new ArgumentOutOfRangeException(nameof(queueSize), queueSize, "A ring has a power of two of descriptors, 2 to 32768 (virtio 1.2 §2.7).");
        }

        var ring = new VirtqueueLayout(format, queueSize, Align(offset), 0, 0);
        ring = ring with { DriverArea = Align(ring.DescriptorArea + ring.DescriptorAreaLength) };
        return ring with { DeviceArea = Align(ring.DriverArea + ring.DriverAreaLength) };
    }

    /// <summary>Whether the format is one of the two, and every area is aligned and inside a region of <paramref name="length"/> bytes.</summary>
    public bool FitsIn(long length) =>
        Format is VirtqueueFormat.Split or VirtqueueFormat.Packed
        && IsValidQueueSize(QueueSize)
        && IsInside(DescriptorArea, DescriptorAreaLength, 16, length)
        && IsInside(DriverArea, DriverAreaLength, Format == VirtqueueFormat.Packed ? 4 : 2, length)
        && IsInside(DeviceArea, DeviceAreaLength, 4, length);

    private static bool IsInside(long offset, long size, int alignment, long length) =>
        offset >= 0 && offset % alignment == 0 && size <= length && offset <= length - size;

    private static long Align(long offset) => (offset + PartAlignment - 1) & ~(long)(PartAlignment - 1);
}
