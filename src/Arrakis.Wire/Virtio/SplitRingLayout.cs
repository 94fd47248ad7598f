using System.Numerics;

namespace Arrakis.Wire.Virtio;

/// <summary>
/// Where the three parts of a split virtqueue lie, as offsets into queue memory (virtio 1.2 §2.7). Each part
/// starts on a cache line of its own pair, so that driver-written and device-written lines never mix.
/// </summary>
/// <param name="QueueSize">Descriptors in the ring: a power of two, 2 to 32768.</param>
/// <param name="DescriptorTable">Byte offset of the descriptor table (16-byte aligned).</param>
/// <param name="AvailableRing">Byte offset of the available ring (2-byte aligned by the specification, 128 here).</param>
/// <param name="UsedRing">Byte offset of the used ring (4-byte aligned by the specification, 128 here).</param>
public readonly record struct SplitRingLayout(int QueueSize, long DescriptorTable, long AvailableRing, long UsedRing)
{
    /// <summary>The smallest queue (virtio 1.2 §2.7: a power of two).</summary>
    public const int MinQueueSize = 2;

    /// <summary>The largest queue (virtio 1.2 §2.7).</summary>
    public const int MaxQueueSize = 32768;

    /// <summary>Bytes of a descriptor: address u64, length u32, flags u16, next u16 (§2.7.5).</summary>
    public const int DescriptorSize = 16;

    /// <summary>Offset of the length in a descriptor.</summary>
    public const int DescriptorLengthOffset = 8;

    /// <summary>Offset of the flags in a descriptor.</summary>
    public const int DescriptorFlagsOffset = 12;

    /// <summary>Offset of the next index in a descriptor.</summary>
    public const int DescriptorNextOffset = 14;

    /// <summary>Offset of the index in the available and used rings; flags are at 0 (§2.7.6, §2.7.8).</summary>
    public const int IndexOffset = 2;

    /// <summary>Offset of the first entry in the available and used rings.</summary>
    public const int EntriesOffset = 4;

    /// <summary>Bytes of an available ring entry: a descriptor index.</summary>
    public const int AvailableEntrySize = 2;

    /// <summary>Bytes of a used ring entry: id u32, length u32.</summary>
    public const int UsedEntrySize = 8;

    /// <summary>VIRTQ_DESC_F_NEXT: the chain goes on at the next index.</summary>
    public const ushort DescriptorNext = 1;

    /// <summary>VIRTQ_DESC_F_WRITE: the device writes this buffer.</summary>
    public const ushort DescriptorWrite = 2;

    /// <summary>VIRTQ_DESC_F_INDIRECT: the buffer holds a descriptor table.</summary>
    public const ushort DescriptorIndirect = 4;

    /// <summary>VIRTQ_AVAIL_F_NO_INTERRUPT: the driver does not need an event (§2.7.7).</summary>
    public const ushort AvailableNoInterrupt = 1;

    /// <summary>VIRTQ_USED_F_NO_NOTIFY: the device does not need a doorbell (§2.7.10).</summary>
    public const ushort UsedNoNotify = 1;

    /// <summary>The largest offset at which a ring is laid out; far beyond any memory, and no sum with it overflows.</summary>
    public const long MaxOffset = 1L << 48;

    /// <summary>Alignment of each part.</summary>
    public const int PartAlignment = 128;

    /// <summary>Bytes of the descriptor table.</summary>
    public long DescriptorTableLength => (long)QueueSize * DescriptorSize;

    /// <summary>Bytes of the available ring, used_event included.</summary>
    public long AvailableRingLength => EntriesOffset + (long)QueueSize * AvailableEntrySize + 2;

    /// <summary>Bytes of the used ring, avail_event included.</summary>
    public long UsedRingLength => EntriesOffset + (long)QueueSize * UsedEntrySize + 2;

    /// <summary>The first byte after all three parts.</summary>
    public long End => Math.Max(DescriptorTable + DescriptorTableLength, Math.Max(AvailableRing + AvailableRingLength, UsedRing + UsedRingLength));

    /// <summary>Whether a size is one that a split ring may have.</summary>
    public static bool IsValidQueueSize(int size) => size is >= MinQueueSize and <= MaxQueueSize && BitOperations.IsPow2(size);

    /// <summary>Lays a ring out from <paramref name="offset"/> on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size is no power of two from 2 to 32768, or the offset is negative or over <see cref="MaxOffset"/>.</exception>
    public static SplitRingLayout At(long offset, int queueSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, MaxOffset);
        if (!IsValidQueueSize(queueSize))
        {
            throw new ArgumentOutOfRangeException(nameof(queueSize), queueSize, "A split ring has a power of two of descriptors, 2 to 32768 (virtio 1.2 §2.7).");
        }

        long table = Align(offset);
        long available = Align(table + (long)queueSize * DescriptorSize);
        long used = Align(available + EntriesOffset + (long)queueSize * AvailableEntrySize + 2);
        return new SplitRingLayout(queueSize, table, available, used);
    }

    /// <summary>Whether every part is aligned and inside a region of <paramref name="length"/> bytes.</summary>
    public bool FitsIn(long length) =>
        IsValidQueueSize(QueueSize)
        && IsInside(DescriptorTable, DescriptorTableLength, 16, length)
        && IsInside(AvailableRing, AvailableRingLength, 2, length)
        && IsInside(UsedRing, UsedRingLength, 4, length);

    private static bool IsInside(long offset, long size, int alignment, long length) =>
        offset >= 0 && offset % alignment == 0 && size <= length && offset <= length - size;

    private static long Align(long offset) => (offset + PartAlignment - 1) & ~(long)(PartAlignment - 1);
}
