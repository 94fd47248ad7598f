using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>A request as the driver made it, copied out of its memory and checked against the area.</summary>
/// <param name="Type">What to do.</param>
/// <param name="Status">Not <see cref="VirtioBlockStatus.Ok"/> where it is refused.</param>
/// <param name="Offset">The first byte, in the area.</param>
/// <param name="Length">Bytes; at least one of a read, write, discard or write zeroes that is not refused, and all inside the area.</param>
/// <param name="MayUnmap">Of a write zeroes: the room may be given back.</param>
internal readonly record struct BlockRequest(VirtioBlockType Type, VirtioBlockStatus Status, long Offset, long Length, bool MayUnmap)
{
    /// <summary>The most data of one read or write: more than a driver sends in one, and what a polling thread can copy without keeping the others waiting for long.</summary>
    public const int MaxLength = 4 * 1024 * 1024;

    /// <summary>The most bytes that one segment of a discard or write zeroes may name where the medium is a disk.</summary>
    public const long MaxDiskRange = 1L << 30;

    /// <summary>The same where the polling thread writes the zeros itself.</summary>
    public const long MaxMemoryRange = 1L << 20;

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
            return Refused(header.Type, VirtioBlockStatus.Error);
        }

        switch (header.Type)
        {
            case VirtioBlockType.Read:
                return OfRange(header.Type, header.Sector, room, MaxLength, area, blockSize, false);
            case VirtioBlockType.Write:
                return area.IsReadOnly ? Refused(header.Type, VirtioBlockStatus.Error) : OfRange(header.Type, header.Sector, sent, MaxLength, area, blockSize, false);
            case VirtioBlockType.Flush:
                return new BlockRequest(header.Type, VirtioBlockStatus.Ok, 0, 0, false);
            case VirtioBlockType.GetId:
                return room >= VirtioBlockRequest.IdLength ? new BlockRequest(header.Type, VirtioBlockStatus.Ok, 0, 0, false) : Refused(header.Type, VirtioBlockStatus.Error);
            case VirtioBlockType.Discard or VirtioBlockType.WriteZeroes:
                return area.IsReadOnly || sent != VirtioBlockSegment.Length
                    ? Refused(header.Type, VirtioBlockStatus.Error) // one segment is all that the configuration space allows
                    : OfSegment(ring, header.Type, area, blockSize, maxRange);
            default:
                return Refused(header.Type, VirtioBlockStatus.Unsupported);
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
            ? Refused(type, VirtioBlockStatus.Unsupported)
            : OfRange(type, segment.Sector, (ulong)segment.Count * VirtioBlockRequest.SectorSize, maxRange, area, blockSize, segment.Flags != 0);
    }

    private static BlockRequest OfRange(VirtioBlockType type, ulong sector, ulong length, long maxLength, BlockArea area, int blockSize, bool mayUnmap)
    {
        // Unsigned, and the sector before it is multiplied: no product or sum can overflow.
        ulong end = (ulong)area.Length;
        if (sector > end / VirtioBlockRequest.SectorSize || length == 0 || length > (ulong)maxLength)
        {
            return Refused(type, VirtioBlockStatus.Error);
        }

        ulong offset = sector * VirtioBlockRequest.SectorSize;
        ulong unit = (ulong)blockSize - 1;
        return length > end - offset || ((offset | length) & unit) != 0
            ? Refused(type, VirtioBlockStatus.Error)
            : new BlockRequest(type, VirtioBlockStatus.Ok, (long)offset, (long)length, mayUnmap);
    }

    private static BlockRequest Refused(VirtioBlockType type, VirtioBlockStatus status) => new(type, status, 0, 0, false);
}
