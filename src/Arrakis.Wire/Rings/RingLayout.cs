using System.Numerics;
using Arrakis.Wire.Nvme;
using Arrakis.Wire.Virtio;

namespace Arrakis.Wire.Rings;

/// <summary>
/// Where the areas of a ring lie, as offsets into queue memory. A virtqueue has three (virtio 1.2 §2.6), each of which starts
/// on a cache line of its own pair, so that driver-written and device-written lines never mix. An 82576 ring is the descriptor
/// area alone: the other two are empty and lie at its end. An NVMe queue pair has its submission queue as the descriptor area and its
/// completion queue as the device area, each from a page on, and no driver area.
/// </summary>
/// <param name="Format">What the areas are.</param>
/// <param name="QueueSize">Descriptors in the ring: a power of two, 2 to 32768 in a virtqueue, 8 to 4096 in an 82576 ring, 2 to 65536 in an NVMe queue.</param>
/// <param name="DescriptorArea">Byte offset of the descriptor table or ring (16-byte aligned, of an 82576 ring 128), or of the submission queue (page aligned).</param>
/// <param name="DriverArea">Byte offset of the available ring (2-byte aligned), or of the driver's event suppression (4-byte aligned).</param>
/// <param name="DeviceArea">Byte offset of the used ring, or of the device's event suppression (4-byte aligned), or of the completion queue (page aligned).</param>
public readonly record struct RingLayout(RingFormat Format, int QueueSize, long DescriptorArea, long DriverArea, long DeviceArea)
{
    /// <summary>The smallest virtqueue.</summary>
    public const int MinQueueSize = 2;

    /// <summary>The largest virtqueue (virtio 1.2 §2.7, §2.8.10.1).</summary>
    public const int MaxQueueSize = 32768;

    /// <summary>The smallest 82576 ring: its length is a multiple of 128 bytes (82576 datasheet, RDLEN and TDLEN).</summary>
    public const int MinIgbQueueSize = 8;

    /// <summary>The largest 82576 ring that is laid out, as Linux's driver has it.</summary>
    public const int MaxIgbQueueSize = 4096;

    /// <summary>The largest NVMe queue (NVMe 2.0 §3.3.3).</summary>
    public const int MaxNvmeQueueSize = 65536;

    /// <summary>The largest offset at which a ring is laid out; far beyond any memory, and no sum with it overflows.</summary>
    public const long MaxOffset = 1L << 48;

    /// <summary>Alignment of each part.</summary>
    public const int PartAlignment = 128;

    /// <summary>Bytes of the descriptor area: sixteen a descriptor of a ring, 64 a command of an NVMe queue.</summary>
    public long DescriptorAreaLength => (long)QueueSize * (Format == RingFormat.Nvme ? NvmeCommand.Size : SplitFormat.DescriptorSize);

    /// <summary>Bytes of the driver area, used_event included.</summary>
    public long DriverAreaLength => Format switch
    {
        RingFormat.Packed => PackedFormat.EventSize,
        RingFormat.Igb or RingFormat.Nvme => 0,
        _ => SplitFormat.EntriesOffset + (long)QueueSize * SplitFormat.AvailableEntrySize + SplitFormat.EventSize,
    };

    /// <summary>Bytes of the device area, avail_event included.</summary>
    public long DeviceAreaLength => Format switch
    {
        RingFormat.Packed => PackedFormat.EventSize,
        RingFormat.Igb => 0,
        RingFormat.Nvme => (long)QueueSize * NvmeCompletion.Size,
        _ => SplitFormat.EntriesOffset + (long)QueueSize * SplitFormat.UsedEntrySize + SplitFormat.EventSize,
    };

    /// <summary>The first byte after all three areas.</summary>
    public long End => Math.Max(DescriptorArea + DescriptorAreaLength, Math.Max(DriverArea + DriverAreaLength, DeviceArea + DeviceAreaLength));

    /// <summary>
    /// Whether a size is one that a virtqueue may have. A packed one may have any (virtio 1.2 §2.8.10.1), but an index that a
    /// mask bounds is worth more than the sizes in between.
    /// </summary>
    public static bool IsValidQueueSize(int size) => size is >= MinQueueSize and <= MaxQueueSize && BitOperations.IsPow2(size);

    /// <summary>Whether a size is one that a ring of a format may have.</summary>
    public static bool IsValidQueueSize(RingFormat format, int size) => format switch
    {
        RingFormat.Igb => IsValidQueueSize(size) && size is >= MinIgbQueueSize and <= MaxIgbQueueSize,
        RingFormat.Nvme => size == MaxNvmeQueueSize || IsValidQueueSize(size), // NVMe has any size; a mask wants a power of two.
        _ => IsValidQueueSize(size),
    };

    /// <summary>Lays a ring out from <paramref name="offset"/> on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size is none that the format may have, or the offset is negative or over <see cref="MaxOffset"/>.</exception>
    public static RingLayout At(RingFormat format, long offset, int queueSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, MaxOffset);
        if (!IsValidQueueSize(format, queueSize))
        {
            throw new ArgumentOutOfRangeException(
                nameof(queueSize),
                queueSize,
                format switch
                {
                    RingFormat.Igb => $"An 82576 ring has a power of two of descriptors, {MinIgbQueueSize} to {MaxIgbQueueSize}.",
                    RingFormat.Nvme => $"An NVMe queue has a power of two of entries here, {MinQueueSize} to {MaxNvmeQueueSize}.",
                    _ => "A ring has a power of two of descriptors, 2 to 32768 (virtio 1.2 §2.7).",
                });
        }

        int alignment = format == RingFormat.Nvme ? NvmeRegister.PageSize : PartAlignment;
        var ring = new RingLayout(format, queueSize, Align(offset, alignment), 0, 0);
        ring = ring with { DriverArea = Align(ring.DescriptorArea + ring.DescriptorAreaLength, alignment) };
        return ring with { DeviceArea = Align(ring.DriverArea + ring.DriverAreaLength, alignment) };
    }

    /// <summary>Whether the format is known, and every area is aligned and inside a region of <paramref name="length"/> bytes.</summary>
    public bool FitsIn(long length) =>
        Format is RingFormat.Split or RingFormat.Packed or RingFormat.Igb or RingFormat.Nvme
        && IsValidQueueSize(Format, QueueSize)
        && IsInside(DescriptorArea, DescriptorAreaLength, DescriptorAlignment, length)
        && IsInside(DriverArea, DriverAreaLength, Format == RingFormat.Split ? 2 : 4, length)
        && IsInside(DeviceArea, DeviceAreaLength, Format == RingFormat.Nvme ? NvmeRegister.PageSize : 4, length);

    private int DescriptorAlignment => Format switch
    {
        RingFormat.Igb => PartAlignment,
        RingFormat.Nvme => NvmeRegister.PageSize,
        _ => SplitFormat.DescriptorSize,
    };

    private static bool IsInside(long offset, long size, int alignment, long length) =>
        offset >= 0 && offset % alignment == 0 && size <= length && offset <= length - size;

    private static long Align(long offset, int alignment) => (offset + alignment - 1) & ~(long)(alignment - 1);
}
