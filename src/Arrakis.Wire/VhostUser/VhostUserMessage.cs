using System.Buffers.Binary;

namespace Arrakis.Wire.VhostUser;

/// <summary>The header of every message: request u32, flags u32, payload size u32, in the machine's byte order (little-endian here).</summary>
/// <param name="Request">What is asked; the reply carries the same number.</param>
/// <param name="Flags">Version in bits 0-1, reply in bit 2, acknowledgement wanted in bit 3.</param>
/// <param name="PayloadLength">Bytes after the header.</param>
public readonly record struct VhostUserHeader(VhostUserRequest Request, uint Flags, uint PayloadLength)
{
    /// <summary>Bytes of the header.</summary>
    public const int Length = 12;

    /// <summary>The largest payload that any message here has: eight memory regions, or a configuration space of 256 bytes.</summary>
    public const int MaxPayload = 512;

    /// <summary>Descriptors that one message may carry (VHOST_MEMORY_BASELINE_NREGIONS).</summary>
    public const int MaxDescriptors = 8;

    /// <summary>Protocol version 1 in the flags.</summary>
    public const uint Version = 0x1;

    /// <summary>Mask of the version.</summary>
    public const uint VersionMask = 0x3;

    /// <summary>The message is a reply.</summary>
    public const uint ReplyFlag = 0x4;

    /// <summary>The front end wants a u64 acknowledgement.</summary>
    public const uint NeedReplyFlag = 0x8;

    /// <summary>Whether the message is a reply.</summary>
    public bool IsReply => (Flags & ReplyFlag) != 0;

    /// <summary>Whether an acknowledgement is wanted.</summary>
    public bool NeedsReply => (Flags & NeedReplyFlag) != 0;

    /// <summary>Reads a header; false when the version or the payload's size is not acceptable.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out VhostUserHeader header)
    {
        header = default;
        if (source.Length < Length)
        {
            return false;
        }

        header = new VhostUserHeader(
            (VhostUserRequest)BinaryPrimitives.ReadUInt32LittleEndian(source),
            BinaryPrimitives.ReadUInt32LittleEndian(source[4..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[8..]));
        return (header.Flags & VersionMask) == Version && header.PayloadLength <= MaxPayload;
    }

    /// <summary>Writes the header.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)Request);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Flags);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], PayloadLength);
    }
}

/// <summary>A ring's index and a number: its size, base, or whether it is enabled.</summary>
/// <param name="Index">The ring.</param>
/// <param name="Value">The number.</param>
public readonly record struct VringState(uint Index, uint Value)
{
    /// <summary>Bytes on the wire.</summary>
    public const int Length = 8;

    /// <summary>Reads the payload; false when its size is wrong.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, out VringState state)
    {
        state = default;
        if (payload.Length != Length)
        {
            return false;
        }

        state = new VringState(BinaryPrimitives.ReadUInt32LittleEndian(payload), BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]));
        return true;
    }

    /// <summary>Writes the payload.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Index);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Value);
    }
}

/// <summary>Where a ring's parts are, in the front end's address space.</summary>
/// <param name="Index">The ring.</param>
/// <param name="Flags">Bit 0: log writes to the used ring.</param>
/// <param name="Descriptor">Descriptor table.</param>
/// <param name="Used">Used ring.</param>
/// <param name="Available">Available ring.</param>
/// <param name="Log">Guest address for logging.</param>
public readonly record struct VringAddress(uint Index, uint Flags, ulong Descriptor, ulong Used, ulong Available, ulong Log)
{
    /// <summary>Bytes on the wire.</summary>
    public const int Length = 40;

    /// <summary>Reads the payload; false when its size is wrong.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, out VringAddress address)
    {
        address = default;
        if (payload.Length != Length)
        {
            return false;
        }

        address = new VringAddress(
            BinaryPrimitives.ReadUInt32LittleEndian(payload),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]),
            BinaryPrimitives.ReadUInt64LittleEndian(payload[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(payload[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(payload[24..]),
            BinaryPrimitives.ReadUInt64LittleEndian(payload[32..]));
        return true;
    }

    /// <summary>Writes the payload.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Index);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], Descriptor);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], Used);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], Available);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[32..], Log);
    }
}

/// <summary>One region of the memory table; its descriptor travels beside the message.</summary>
/// <param name="GuestAddress">Address that descriptors in the rings use (the IOVA).</param>
/// <param name="Size">Bytes.</param>
/// <param name="UserAddress">Address that SET_VRING_ADDR uses.</param>
/// <param name="MapOffset">Where in the file the region starts.</param>
public readonly record struct VhostMemoryRegion(ulong GuestAddress, ulong Size, ulong UserAddress, ulong MapOffset)
{
    /// <summary>Bytes of a region on the wire.</summary>
    public const int Length = 32;

    /// <summary>Bytes of the count and padding before the first region.</summary>
    public const int TableHeaderLength = 8;

    /// <summary>Reads a memory table; false when the count does not match the payload's size. Returns how many regions were written.</summary>
    public static bool TryReadTable(ReadOnlySpan<byte> payload, Span<VhostMemoryRegion> regions, out int count)
    {
        count = 0;
        if (payload.Length < TableHeaderLength)
        {
            return false;
        }

        uint announced = BinaryPrimitives.ReadUInt32LittleEndian(payload);
        if (announced > VhostUserHeader.MaxDescriptors || announced > regions.Length
            || payload.Length != TableHeaderLength + (int)announced * Length)
        {
            return false;
        }

        for (int i = 0; i < announced; i++)
        {
            ReadOnlySpan<byte> entry = payload[(TableHeaderLength + i * Length)..];
            regions[i] = new VhostMemoryRegion(
                BinaryPrimitives.ReadUInt64LittleEndian(entry),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[24..]));
        }

        count = (int)announced;
        return true;
    }

    /// <summary>Writes a memory table and returns its length.</summary>
    public static int WriteTable(Span<byte> destination, ReadOnlySpan<VhostMemoryRegion> regions)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)regions.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], 0);
        for (int i = 0; i < regions.Length; i++)
        {
            Span<byte> entry = destination[(TableHeaderLength + i * Length)..];
            BinaryPrimitives.WriteUInt64LittleEndian(entry, regions[i].GuestAddress);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], regions[i].Size);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], regions[i].UserAddress);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], regions[i].MapOffset);
        }

        return TableHeaderLength + regions.Length * Length;
    }
}

/// <summary>The payload of GET_CONFIG, both ways, and of SET_CONFIG: offset u32, length u32, flags u32, and the bytes.</summary>
/// <param name="Offset">The first byte, in the configuration space.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Flags">Of SET_CONFIG: 0 writes what a driver may write; 1 restores all of a device that migrated.</param>
public readonly record struct VhostConfigRange(uint Offset, uint Length, uint Flags)
{
    /// <summary>Bytes before the configuration space's own.</summary>
    public const int HeaderLength = 12;

    /// <summary>Bytes of the configuration space (VHOST_USER_MAX_CONFIG_SIZE).</summary>
    public const int MaxLength = 256;

    /// <summary>Reads the part before the bytes; false where the payload is shorter or longer than it says, or the range is no part of the space.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, out VhostConfigRange range)
    {
        range = default;
        if (payload.Length < HeaderLength)
        {
            return false;
        }

        range = new VhostConfigRange(
            BinaryPrimitives.ReadUInt32LittleEndian(payload),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]));
        return (ulong)payload.Length == HeaderLength + (ulong)range.Length && range.Offset + (ulong)range.Length <= MaxLength;
    }

    /// <summary>Writes the part before the bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Offset);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Length);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], Flags);
    }
}

/// <summary>The u64 payload of SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR.</summary>
public static class VringDescriptorPayload
{
    /// <summary>Bits 0-7: the ring's index.</summary>
    public const ulong IndexMask = 0xFF;

    /// <summary>Bit 8: no descriptor travels; the ring is polled.</summary>
    public const ulong NoDescriptor = 0x100;
}
