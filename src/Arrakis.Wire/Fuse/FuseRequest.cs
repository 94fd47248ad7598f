using System.Buffers.Binary;

namespace Arrakis.Wire.Fuse;

/// <summary>
/// A request of the kernel (struct fuse_in_header): length u32, opcode u32, unique u64, node u64, user u32, group u32, process u32, 4 bytes
/// more, in the machine's byte order (little-endian here); what belongs to the opcode follows.
/// </summary>
public readonly ref struct FuseRequest
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderLength = 40;

    private FuseRequest(ReadOnlySpan<byte> packet)
    {
        Opcode = (FuseOpcode)BinaryPrimitives.ReadUInt32LittleEndian(packet[4..]);
        Unique = BinaryPrimitives.ReadUInt64LittleEndian(packet[8..]);
        Node = BinaryPrimitives.ReadUInt64LittleEndian(packet[16..]);
        UserId = BinaryPrimitives.ReadUInt32LittleEndian(packet[24..]);
        Body = packet[HeaderLength..];
    }

    /// <summary>What is asked.</summary>
    public FuseOpcode Opcode { get; }

    /// <summary>The request's number; its reply has the same.</summary>
    public ulong Unique { get; }

    /// <summary>The node that it is about.</summary>
    public ulong Node { get; }

    /// <summary>The user on whose behalf.</summary>
    public uint UserId { get; }

    /// <summary>What belongs to the opcode.</summary>
    public ReadOnlySpan<byte> Body { get; }

    /// <summary>Reads a packet; false where its length is not the one that it says.</summary>
    public static bool TryRead(ReadOnlySpan<byte> packet, out FuseRequest request)
    {
        bool isWhole = packet.Length >= HeaderLength && BinaryPrimitives.ReadUInt32LittleEndian(packet) == (uint)packet.Length;
        request = isWhole ? new FuseRequest(packet) : default;
        return isWhole;
    }

    /// <summary>Reads the body of <see cref="FuseOpcode.Lookup"/>: a name that ends with a zero byte.</summary>
    public bool TryReadName(out ReadOnlySpan<byte> name)
    {
        int end = Body.IndexOf((byte)0);
        name = end < 0 ? default : Body[..end];
        return end > 0;
    }
}

/// <summary>The body of <see cref="FuseOpcode.Initialize"/> (struct fuse_init_in): versions u32 and u32, read-ahead u32, features u32.</summary>
/// <param name="Major">The protocol's version.</param>
/// <param name="Minor">Its lesser version.</param>
/// <param name="ReadAhead">The most bytes that are read ahead.</param>
/// <param name="Features">What the kernel can do.</param>
public readonly record struct FuseInitialize(uint Major, uint Minor, uint ReadAhead, FuseFeatures Features)
{
    /// <summary>Reads the body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out FuseInitialize value)
    {
        value = default;
        if (body.Length < 16)
        {
            return false;
        }

        value = new FuseInitialize(
            BinaryPrimitives.ReadUInt32LittleEndian(body),
            BinaryPrimitives.ReadUInt32LittleEndian(body[4..]),
            BinaryPrimitives.ReadUInt32LittleEndian(body[8..]),
            (FuseFeatures)BinaryPrimitives.ReadUInt32LittleEndian(body[12..]));
        return true;
    }
}

/// <summary>What the kernel's side can do (FUSE_* flags of FUSE_INIT); those that this program uses.</summary>
[Flags]
public enum FuseFeatures : uint
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Reads of one file at once.</summary>
    AsyncRead = 1 << 0,

    /// <summary>Writes of more than a page.</summary>
    BigWrites = 1 << 5,

    /// <summary>Several requests of one direct read or write at once.</summary>
    AsyncDirectIo = 1 << 15,

    /// <summary>Requests of more than 32 pages.</summary>
    MaxPages = 1 << 22,
}

/// <summary>A request that reads or writes a part of an open file (struct fuse_read_in, fuse_write_in): handle u64, offset u64, size u32, 20 bytes more.</summary>
/// <param name="Handle">The open file, as the reply to its opening named it.</param>
/// <param name="Offset">The first byte.</param>
/// <param name="Size">Bytes.</param>
public readonly record struct FuseTransfer(ulong Handle, ulong Offset, uint Size)
{
    /// <summary>Bytes of it; what is to be written follows.</summary>
    public const int Length = 40;

    /// <summary>Reads the body; in a read the size is what is asked for, in a write what follows.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out FuseTransfer value)
    {
        value = default;
        if (body.Length < Length)
        {
            return false;
        }

        value = new FuseTransfer(
            BinaryPrimitives.ReadUInt64LittleEndian(body),
            BinaryPrimitives.ReadUInt64LittleEndian(body[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(body[16..]));
        return true;
    }
}

/// <summary>The body of <see cref="FuseOpcode.SetAttributes"/> (struct fuse_setattr_in, 88 bytes): what changes u32 at 0, handle u64 at 8, size u64 at 16.</summary>
/// <param name="Changes">What changes.</param>
/// <param name="Size">The new size.</param>
public readonly record struct FuseSetAttributes(FuseAttributeChanges Changes, ulong Size)
{
    /// <summary>Reads the body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out FuseSetAttributes value)
    {
        value = default;
        if (body.Length < 88)
        {
            return false;
        }

        value = new FuseSetAttributes((FuseAttributeChanges)BinaryPrimitives.ReadUInt32LittleEndian(body), BinaryPrimitives.ReadUInt64LittleEndian(body[16..]));
        return true;
    }
}

/// <summary>What changes of a node (FATTR_*); those that are not about time.</summary>
[Flags]
public enum FuseAttributeChanges : uint
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The permission bits.</summary>
    Mode = 1 << 0,

    /// <summary>The owner.</summary>
    User = 1 << 1,

    /// <summary>The group.</summary>
    Group = 1 << 2,

    /// <summary>The size.</summary>
    Size = 1 << 3,
}

/// <summary>The body of <see cref="FuseOpcode.Allocate"/> (struct fuse_fallocate_in): handle u64, offset u64, length u64, mode u32, 4 bytes more.</summary>
/// <param name="Handle">The open file.</param>
/// <param name="Offset">The first byte.</param>
/// <param name="Count">Bytes.</param>
/// <param name="Mode">FALLOC_FL_* of fallocate(2).</param>
public readonly record struct FuseAllocate(ulong Handle, ulong Offset, ulong Count, uint Mode)
{
    /// <summary>Reads the body.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out FuseAllocate value)
    {
        value = default;
        if (body.Length < 32)
        {
            return false;
        }

        value = new FuseAllocate(
            BinaryPrimitives.ReadUInt64LittleEndian(body),
            BinaryPrimitives.ReadUInt64LittleEndian(body[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(body[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(body[24..]));
        return true;
    }
}
