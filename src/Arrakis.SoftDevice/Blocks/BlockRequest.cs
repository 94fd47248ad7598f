using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>A request as the driver made it, copied out of its memory and checked against the area.</summary>
/// <param name="Type">What to do.</param>
/// <param name="Refusal">Why it is refused, if it is.</param>
/// <param name="Offset">The first byte, in the area.</param>
/// <param name="Length">Bytes; at least one of a read, write, discard or write zeroes that is not refused, and all inside the area.</param>
/// <param name="MayUnmap">Of a write zeroes: the room may be given back.</param>
internal readonly record struct BlockRequest(VirtioBlockType Type, BlockRefusal Refusal, long Offset, long Length, bool MayUnmap)
{
    /// <summary>The most data of one read or write: more than a driver sends in one, and what a polling thread can copy without keeping the others waiting for long.</summary>
    public const int MaxLength = 4 * 1024 * 1024;

    /// <summary>The most bytes that one segment of a discard or write zeroes may name where the medium is a disk.</summary>
    public const long MaxDiskRange = 1L << 30;

    /// <summary>The same where the polling thread writes the zeros itself.</summary>
    public const long MaxMemoryRange = 1L << 20;

    /// <summary>What the driver is told where it is refused.</summary>
    public VirtioBlockStatus Status => Refusal switch
    {
        BlockRefusal.None => VirtioBlockStatus.Ok,
        BlockRefusal.Unsupported => VirtioBlockStatus.Unsupported,
        _ => VirtioBlockStatus.Error,
    };

    /// <summary>Reads the request that was taken last from a ring. Null where the chain has no room for a header and a status.</summary>
    public static BlockRequest? TryRead(DeviceRing ring, BlockArea? area, int blockSize, long maxRange)
    {
        if (ring.ReadableLength < VirtioBlockRequest.HeaderLength || ring.WritableLength < VirtioBlockRequest.StatusLength)
        {
            return null;
        }

        Span<byte> bytes = stackalloc byte[VirtioBlockRequest.HeaderLength];
        ring.CopyFromRequest(0, bytes);
        VirtioBlockRequest header = VirtioBlockRequest.Read(bytes);
        ulong sent = ring.ReadableLength - VirtioBlockRequest.HeaderLength;
        ulong room = ring.WritableLength - VirtioBlockRequest.StatusLength;
        if (area is null)
        {
            return Refused(header.Type, BlockRefusal.NoArea);
        }

        switch (header.Type)
        {
            case VirtioBlockType.Read:
                return OfRange(header.Type, header.Sector, room, MaxLength, area, blockSize, false);
            case VirtioBlockType.Write:
                return area.IsReadOnly ? Refused(header.Type, BlockRefusal.ReadOnly) : OfRange(header.Type, header.Sector, sent, MaxLength, area, blockSize, false);
            case VirtioBlockType.Flush:
                return new BlockRequest(header.Type, BlockRefusal.None, 0, 0, false);
            case VirtioBlockType.GetId:
                return room >= VirtioBlockRequest.IdLength ? new BlockRequest(header.Type, BlockRefusal.None, 0, 0, false) : Refused(header.Type, BlockRefusal.Malformed);
            case VirtioBlockType.Discard or VirtioBlockType.WriteZeroes:
                return area.IsReadOnly ? Refused(header.Type, BlockRefusal.ReadOnly)
                    : sent != VirtioBlockSegment.Length ? Refused(header.Type, BlockRefusal.Malformed) // one segment is all that the configuration space allows
                    : OfSegment(ring, header.Type, area, blockSize, maxRange);
            default:
                return Refused(header.Type, BlockRefusal.Unsupported);
        }
    }

    private static BlockRequest OfSegment(DeviceRing ring, VirtioBlockType type, BlockArea area, int blockSize, long maxRange)
    {
        Span<byte> bytes = stackalloc byte[VirtioBlockSegment.Length];
        ring.CopyFromRequest(VirtioBlockRequest.HeaderLength, bytes);
        VirtioBlockSegment segment = VirtioBlockSegment.Read(bytes);

        // Flags that mean nothing, and unmap of a discard (§5.2.6.2).
        uint known = type == VirtioBlockType.WriteZeroes ? VirtioBlockSegment.Unmap : 0;
        return (segment.Flags & ~known) != 0
            ? Refused(type, BlockRefusal.Unsupported)
            : OfRange(type, segment.Sector, (ulong)segment.Count * VirtioBlockRequest.SectorSize, maxRange, area, blockSize, segment.Flags != 0);
    }

    private static BlockRequest OfRange(VirtioBlockType type, ulong sector, ulong length, long maxLength, BlockArea area, int blockSize, bool mayUnmap)
    {
        // Unsigned, and the sector before it is multiplied: no product or sum can overflow.
        ulong end = (ulong)area.Length;
        if (sector > end / VirtioBlockRequest.SectorSize)
        {
            return Refused(type, BlockRefusal.OutsideArea);
        }

        ulong offset = sector * VirtioBlockRequest.SectorSize;
        ulong unit = (ulong)blockSize - 1;
        return length > (ulong)maxLength ? Refused(type, BlockRefusal.TooLong)
            : length > end - offset ? Refused(type, BlockRefusal.OutsideArea)
            : length == 0 || ((offset | length) & unit) != 0 ? Refused(type, BlockRefusal.NotWholeBlocks)
            : new BlockRequest(type, BlockRefusal.None, (long)offset, (long)length, mayUnmap);
    }

    private static BlockRequest Refused(VirtioBlockType type, BlockRefusal refusal) => new(type, refusal, 0, 0, false);
}
