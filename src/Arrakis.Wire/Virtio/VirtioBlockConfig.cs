using System.Buffers.Binary;

namespace Arrakis.Wire.Virtio;

/// <summary>The configuration space of a block device (virtio 1.2 §5.2.4). Which fields mean something the features say; the capacity always does.</summary>
public readonly record struct VirtioBlockConfig
{
    /// <summary>Bytes up to the fields of secure erase, which this project does not use.</summary>
    public const int Length = 60;

    /// <summary>Offset of size_max.</summary>
    public const int SizeMaxOffset = 8;

    /// <summary>Offset of seg_max.</summary>
    public const int SegmentMaxOffset = 12;

    /// <summary>Offset of blk_size.</summary>
    public const int BlockSizeOffset = 20;

    /// <summary>Offset of topology: physical_block_exp u8, alignment_offset u8, min_io_size u16, opt_io_size u32.</summary>
    public const int TopologyOffset = 24;

    /// <summary>Offset of writeback.</summary>
    public const int WritebackOffset = 32;

    /// <summary>Offset of num_queues.</summary>
    public const int QueueCountOffset = 34;

    /// <summary>Offset of max_discard_sectors; max_discard_seg and discard_sector_alignment follow.</summary>
    public const int DiscardOffset = 36;

    /// <summary>Offset of max_write_zeroes_sectors; max_write_zeroes_seg and write_zeroes_may_unmap follow.</summary>
    public const int WriteZeroesOffset = 48;

    /// <summary>capacity: sectors of 512 bytes.</summary>
    public ulong Capacity { get; init; }

    /// <summary>size_max: the most bytes of one segment; with VIRTIO_BLK_F_SIZE_MAX.</summary>
    public uint SizeMax { get; init; }

    /// <summary>seg_max: the most data segments of one request; with VIRTIO_BLK_F_SEG_MAX.</summary>
    public uint SegmentMax { get; init; }

    /// <summary>blk_size: bytes of a block; with VIRTIO_BLK_F_BLK_SIZE.</summary>
    public uint BlockSize { get; init; }

    /// <summary>writeback: whether the cache is one; with VIRTIO_BLK_F_CONFIG_WCE.</summary>
    public bool Writeback { get; init; }

    /// <summary>num_queues; with VIRTIO_BLK_F_MQ.</summary>
    public ushort QueueCount { get; init; }

    /// <summary>max_discard_sectors: the most sectors of a segment; with VIRTIO_BLK_F_DISCARD, as the two that follow.</summary>
    public uint MaxDiscardSectors { get; init; }

    /// <summary>max_discard_seg: the most segments.</summary>
    public uint MaxDiscardSegments { get; init; }

    /// <summary>discard_sector_alignment: sectors.</summary>
    public uint DiscardAlignment { get; init; }

    /// <summary>max_write_zeroes_sectors: the most sectors of a segment; with VIRTIO_BLK_F_WRITE_ZEROES, as the two that follow.</summary>
    public uint MaxWriteZeroesSectors { get; init; }

    /// <summary>max_write_zeroes_seg: the most segments.</summary>
    public uint MaxWriteZeroesSegments { get; init; }

    /// <summary>write_zeroes_may_unmap: whether zeroed sectors may be given back where the driver lets it.</summary>
    public bool WriteZeroesMayUnmap { get; init; }

    /// <summary>Reads the fields.</summary>
    /// <param name="source">At least <see cref="Length"/> bytes.</param>
    public static VirtioBlockConfig Read(ReadOnlySpan<byte> source) => new()
    {
        Capacity = BinaryPrimitives.ReadUInt64LittleEndian(source),
        SizeMax = BinaryPrimitives.ReadUInt32LittleEndian(source[SizeMaxOffset..]),
        SegmentMax = BinaryPrimitives.ReadUInt32LittleEndian(source[SegmentMaxOffset..]),
        BlockSize = BinaryPrimitives.ReadUInt32LittleEndian(source[BlockSizeOffset..]),
        Writeback = source[WritebackOffset] != 0,
        QueueCount = BinaryPrimitives.ReadUInt16LittleEndian(source[QueueCountOffset..]),
        MaxDiscardSectors = BinaryPrimitives.ReadUInt32LittleEndian(source[DiscardOffset..]),
        MaxDiscardSegments = BinaryPrimitives.ReadUInt32LittleEndian(source[(DiscardOffset + 4)..]),
        DiscardAlignment = BinaryPrimitives.ReadUInt32LittleEndian(source[(DiscardOffset + 8)..]),
        MaxWriteZeroesSectors = BinaryPrimitives.ReadUInt32LittleEndian(source[WriteZeroesOffset..]),
        MaxWriteZeroesSegments = BinaryPrimitives.ReadUInt32LittleEndian(source[(WriteZeroesOffset + 4)..]),
        WriteZeroesMayUnmap = source[WriteZeroesOffset + 8] != 0,
    };

    /// <summary>Writes the fields, and zeros for those that this project does not use.</summary>
    /// <param name="destination">At least <see cref="Length"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        destination[..Length].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(destination, Capacity);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[SizeMaxOffset..], SizeMax);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[SegmentMaxOffset..], SegmentMax);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[BlockSizeOffset..], BlockSize);
        destination[WritebackOffset] = (byte)(Writeback ? 1 : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[QueueCountOffset..], QueueCount);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[DiscardOffset..], MaxDiscardSectors);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[(DiscardOffset + 4)..], MaxDiscardSegments);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[(DiscardOffset + 8)..], DiscardAlignment);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[WriteZeroesOffset..], MaxWriteZeroesSectors);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[(WriteZeroesOffset + 4)..], MaxWriteZeroesSegments);
        destination[WriteZeroesOffset + 8] = (byte)(WriteZeroesMayUnmap ? 1 : 0);
    }
}
