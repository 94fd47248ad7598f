using System.Buffers.Binary;

namespace Arrakis.Wire.Virtio;

/// <summary>What a request of a block device does (virtio 1.2 §5.2.6).</summary>
public enum VirtioBlockType : uint
{
    /// <summary>VIRTIO_BLK_T_IN: device to buffers.</summary>
    Read = 0,

    /// <summary>VIRTIO_BLK_T_OUT: buffers to device.</summary>
    Write = 1,

    /// <summary>VIRTIO_BLK_T_FLUSH: makes all completed writes durable.</summary>
    Flush = 4,

    /// <summary>VIRTIO_BLK_T_GET_ID: the device's name, <see cref="VirtioBlockRequest.IdLength"/> bytes.</summary>
    GetId = 8,

    /// <summary>VIRTIO_BLK_T_DISCARD: gives back the sectors that the segments in the data name.</summary>
    Discard = 11,

    /// <summary>VIRTIO_BLK_T_WRITE_ZEROES: zeroes the sectors that the segments in the data name.</summary>
    WriteZeroes = 13,
}

/// <summary>The byte that a device writes at the end of a request (§5.2.6).</summary>
public enum VirtioBlockStatus : byte
{
    /// <summary>VIRTIO_BLK_S_OK.</summary>
    Ok = 0,

    /// <summary>VIRTIO_BLK_S_IOERR: it failed; also what is out of range, or a write to a read-only device (§5.2.6.2).</summary>
    Error = 1,

    /// <summary>VIRTIO_BLK_S_UNSUPP: the device does not know the type, or not with these flags.</summary>
    Unsupported = 2,
}

/// <summary>
/// The header in front of a request (§5.2.6): type u32, reserved u32, sector u64, all that the driver writes but the data. Data follows, and a
/// status byte that the device writes. How a driver cuts these into descriptors is its own affair (§2.6.4), except that what
/// the device reads comes before what it writes.
/// </summary>
/// <param name="Type">What to do.</param>
/// <param name="Sector">The first sector, of 512 bytes whatever the block size is; 0 of other types than read and write.</param>
public readonly record struct VirtioBlockRequest(VirtioBlockType Type, ulong Sector)
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderLength = 16;

    /// <summary>Offset of the sector in the header.</summary>
    public const int SectorOffset = 8;

    /// <summary>Bytes of the status.</summary>
    public const int StatusLength = 1;

    /// <summary>Bytes of a sector (§5.2.4).</summary>
    public const int SectorSize = 512;

    /// <summary>Bytes of a device's name: ASCII, padded with zeros, which a name of this length has none of (§5.2.6).</summary>
    public const int IdLength = 20;

    /// <summary>Reads a header.</summary>
    public static VirtioBlockRequest Read(ReadOnlySpan<byte> source) => new(
        (VirtioBlockType)BinaryPrimitives.ReadUInt32LittleEndian(source),
        BinaryPrimitives.ReadUInt64LittleEndian(source[SectorOffset..]));

    /// <summary>Writes a header.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, (uint)Type);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[SectorOffset..], Sector);
    }
}

/// <summary>What a discard or a write zeroes names (§5.2.6): sector u64, num_sectors u32, flags u32.</summary>
/// <param name="Sector">The first sector.</param>
/// <param name="Count">Sectors.</param>
/// <param name="Flags">Of a write zeroes <see cref="Unmap"/>, else 0.</param>
public readonly record struct VirtioBlockSegment(ulong Sector, uint Count, uint Flags)
{
    /// <summary>Bytes of a segment.</summary>
    public const int Length = 16;

    /// <summary>The device may give the zeroed sectors back.</summary>
    public const uint Unmap = 1;

    private const int CountOffset = 8;
    private const int FlagsOffset = 12;

    /// <summary>Reads a segment.</summary>
    public static VirtioBlockSegment Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(source),
        BinaryPrimitives.ReadUInt32LittleEndian(source[CountOffset..]),
        BinaryPrimitives.ReadUInt32LittleEndian(source[FlagsOffset..]));

    /// <summary>Writes a segment.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, Sector);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[CountOffset..], Count);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[FlagsOffset..], Flags);
    }
}
