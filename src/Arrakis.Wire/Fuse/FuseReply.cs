using System.Buffers.Binary;

namespace Arrakis.Wire.Fuse;

/// <summary>A node's attributes (struct fuse_attr).</summary>
/// <param name="Node">Its number.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Mode">Kind and permission bits.</param>
/// <param name="Links">Names that it has.</param>
/// <param name="User">Its owner.</param>
/// <param name="Time">All of its times, in seconds since 1970.</param>
/// <param name="BlockSize">Bytes that are best read at once.</param>
public readonly record struct FuseAttributes(ulong Node, ulong Size, uint Mode, uint Links, uint User, ulong Time, uint BlockSize)
{
    /// <summary>A folder, in <see cref="Mode"/> (S_IFDIR).</summary>
    public const uint Folder = 0x4000;

    /// <summary>A regular file, in <see cref="Mode"/> (S_IFREG).</summary>
    public const uint RegularFile = 0x8000;

    internal const int Length = 88;

    internal void Write(Span<byte> to)
    {
        to[..Length].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(to, Node);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], Size);
        BinaryPrimitives.WriteUInt64LittleEndian(to[16..], (Size + 511) / 512);
        for (int time = 24; time <= 40; time += 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(to[time..], Time);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(to[60..], Mode);
        BinaryPrimitives.WriteUInt32LittleEndian(to[64..], Links);
        BinaryPrimitives.WriteUInt32LittleEndian(to[68..], User);
        BinaryPrimitives.WriteUInt32LittleEndian(to[80..], BlockSize);
    }
}

/// <summary>
/// Writes a reply (struct fuse_out_header): length u32, error i32, unique u64; what belongs to the opcode follows. Each method returns the
/// reply's whole length.
/// </summary>
/// <param name="buffer">Where to; what a method does not say otherwise fits into <see cref="MinBufferLength"/> bytes.</param>
/// <param name="unique">The request's number.</param>
public readonly ref struct FuseReply(Span<byte> buffer, ulong unique)
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderLength = 16;

    /// <summary>Room for each reply that has no data.</summary>
    public const int MinBufferLength = 256;

    /// <summary>The protocol's version.</summary>
    public const uint Major = 7;

    /// <summary>Its lesser version: the kernel speaks the lower one of both sides.</summary>
    public const uint Minor = 31;

    private readonly Span<byte> _buffer = buffer;

    /// <summary>Where data go, such as those that were read.</summary>
    public Span<byte> Data => _buffer[HeaderLength..];

    /// <summary>Done; nothing more to say, or so many bytes of <see cref="Data"/>.</summary>
    public int Done(int dataLength = 0) => Header(dataLength, 0);

    /// <summary>Not done.</summary>
    /// <param name="errno">Why, as a positive number.</param>
    public int Error(int errno) => Header(0, -errno);

    /// <summary>Answers <see cref="FuseOpcode.Initialize"/>.</summary>
    /// <param name="features">What both sides can do.</param>
    /// <param name="readAhead">The most bytes that are read ahead.</param>
    /// <param name="maxWrite">The most bytes of one write.</param>
    /// <param name="maxPages">The most pages of one request.</param>
    public int Initialize(FuseFeatures features, uint readAhead, uint maxWrite, ushort maxPages)
    {
        Span<byte> body = Cleared(64);
        BinaryPrimitives.WriteUInt32LittleEndian(body, Major);
        BinaryPrimitives.WriteUInt32LittleEndian(body[4..], Minor);
        BinaryPrimitives.WriteUInt32LittleEndian(body[8..], readAhead);
        BinaryPrimitives.WriteUInt32LittleEndian(body[12..], (uint)features);
        BinaryPrimitives.WriteUInt16LittleEndian(body[16..], 16); // Requests in the background, and when they are many.
        BinaryPrimitives.WriteUInt16LittleEndian(body[18..], 12);
        BinaryPrimitives.WriteUInt32LittleEndian(body[20..], maxWrite);
        BinaryPrimitives.WriteUInt32LittleEndian(body[24..], 1_000_000_000); // The grain of times in nanoseconds.
        BinaryPrimitives.WriteUInt16LittleEndian(body[28..], maxPages);
        return Done(64);
    }

    /// <summary>Answers <see cref="FuseOpcode.Lookup"/>: the node is not to be remembered.</summary>
    public int Entry(FuseAttributes attributes)
    {
        Span<byte> body = Cleared(40 + FuseAttributes.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(body, attributes.Node);
        attributes.Write(body[40..]);
        return Done(40 + FuseAttributes.Length);
    }

    /// <summary>Answers <see cref="FuseOpcode.GetAttributes"/>: they are not to be remembered.</summary>
    public int Attributes(FuseAttributes attributes)
    {
        Span<byte> body = Cleared(16 + FuseAttributes.Length);
        attributes.Write(body[16..]);
        return Done(16 + FuseAttributes.Length);
    }

    /// <summary>Answers <see cref="FuseOpcode.Open"/> and <see cref="FuseOpcode.OpenFolder"/>.</summary>
    /// <param name="handle">How the kernel is to name what is open.</param>
    /// <param name="isDirect">Whether no page of it may be kept in memory (FOPEN_DIRECT_IO).</param>
    public int Opened(ulong handle, bool isDirect)
    {
        Span<byte> body = Cleared(16);
        BinaryPrimitives.WriteUInt64LittleEndian(body, handle);
        body[8] = isDirect ? (byte)1 : (byte)0;
        return Done(16);
    }

    /// <summary>Answers <see cref="FuseOpcode.Write"/>.</summary>
    public int Written(uint length)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Cleared(8), length);
        return Done(8);
    }

    /// <summary>Answers <see cref="FuseOpcode.Statistics"/> (struct fuse_kstatfs).</summary>
    /// <param name="blocks">Blocks in all; none is free.</param>
    /// <param name="blockSize">Bytes of a block.</param>
    /// <param name="files">Files.</param>
    /// <param name="nameLength">The longest name.</param>
    public int Statistics(ulong blocks, uint blockSize, ulong files, uint nameLength)
    {
        Span<byte> body = Cleared(80);
        BinaryPrimitives.WriteUInt64LittleEndian(body, blocks);
        BinaryPrimitives.WriteUInt64LittleEndian(body[24..], files);
        BinaryPrimitives.WriteUInt32LittleEndian(body[40..], blockSize);
        BinaryPrimitives.WriteUInt32LittleEndian(body[44..], nameLength);
        BinaryPrimitives.WriteUInt32LittleEndian(body[48..], blockSize);
        return Done(80);
    }

    /// <summary>Writes an entry of a folder (struct fuse_dirent, filled up to 8 bytes) into what is left of <see cref="Data"/>; 0 where it does not fit.</summary>
    /// <param name="rest">What is left of it.</param>
    /// <param name="node">The entry's node.</param>
    /// <param name="next">The offset that a read which goes on behind it has.</param>
    /// <param name="kind">The kind bits of its mode.</param>
    /// <param name="name">Its name, of letters of ASCII.</param>
    public static int WriteFolderEntry(Span<byte> rest, ulong node, ulong next, uint kind, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        int length = (24 + name.Length + 7) & ~7;
        if (length > rest.Length)
        {
            return 0;
        }

        rest[..length].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(rest, node);
        BinaryPrimitives.WriteUInt64LittleEndian(rest[8..], next);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[16..], (uint)name.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[20..], kind >> 12); // DT_* are S_IF* without the permission bits.
        System.Text.Encoding.ASCII.GetBytes(name, rest[24..]);
        return length;
    }

    private Span<byte> Cleared(int length)
    {
        Span<byte> body = Data[..length];
        body.Clear();
        return body;
    }

    private int Header(int dataLength, int error)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer, (uint)(HeaderLength + dataLength));
        BinaryPrimitives.WriteInt32LittleEndian(_buffer[4..], error);
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer[8..], unique);
        return HeaderLength + dataLength;
    }
}
