using System.Buffers.Binary;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.Areas.Export;
using Arrakis.Wire.Fuse;

namespace Arrakis.Fuzz.Targets;

/// <summary>
/// Requests of the kernel for a user who owns one of three areas and may read another. An input is a sequence of requests: opcode, node,
/// length of the body u16, body.
/// </summary>
internal sealed class AreaFileTarget : FuzzTarget, IDisposable
{
    private const uint User = 1000;
    private const int BlockSize = 512;
    private const int Blocks = 64;
    private const byte Mark = 0x5A;
    private static readonly byte[] s_handle1 = Number(1, 8);

    private readonly AreaCatalogue _catalogue = AreaCatalogue.OpenOrCreate(new MemoryPlace(), new CatalogueGeometry(BlockSize, Blocks, 1), Guid.Empty, isZeroed: true);
    private readonly byte[] _device = new byte[BlockSize * Blocks];
    private readonly bool[] _isOwn = new bool[BlockSize * Blocks];
    private readonly byte[] _reply = new byte[ExportSession.ReplyLength];

    public AreaFileTarget()
    {
        // In pieces: own, foreign, own, shared, own.
        _catalogue.Create("own", BlockSize, User);
        _catalogue.Create("foreign", 3 * BlockSize, 7);
        _catalogue.Grow("own", 2 * BlockSize);
        _catalogue.Create("shared", BlockSize, 7);
        _catalogue.Grow("own", 5 * BlockSize);
        _catalogue.Change("shared", sharedRead: true);
        foreach (Contract.BlockExtent extent in _catalogue.Find("own")!.Extents)
        {
            _isOwn.AsSpan((int)extent.Start * BlockSize, (int)extent.Count * BlockSize).Fill(true);
        }
    }

    public override string Name => "area-files";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        [
            .. Request(FuseOpcode.Initialize, 0, [.. Number(7, 4), .. Number(38, 4), .. Number(4096, 4), .. Number(0xFFFF_FFFF, 4)]),
            .. Request(FuseOpcode.Lookup, 1, "own\0"u8),
            .. Request(FuseOpcode.GetAttributes, 2, Number(0, 16)),
            .. Request(FuseOpcode.Open, 2, Number(2, 8)),
            .. Request(FuseOpcode.Write, 2, [.. Transfer(500, 40), .. Number(1, 40)]),
            .. Request(FuseOpcode.Read, 2, Transfer(0, 4096)),
            .. Request(FuseOpcode.Allocate, 2, [.. s_handle1, .. Number(10, 8), .. Number(600, 8), .. Number(3, 8)]),
            .. Request(FuseOpcode.SetAttributes, 2, [.. Number(8, 16), .. Number(700, 72)]),
            .. Request(FuseOpcode.Sync, 2, [.. s_handle1, .. Number(0, 8)]),
            .. Request(FuseOpcode.Flush, 2, [.. s_handle1, .. Number(0, 16)]),
            .. Request(FuseOpcode.Release, 2, [.. s_handle1, .. Number(0, 16)]),
        ],
        [
            .. Request(FuseOpcode.OpenFolder, 1, Number(0, 8)),
            .. Request(FuseOpcode.ReadFolder, 1, Transfer(0, 4096)),
            .. Request(FuseOpcode.Lookup, 1, "shared\0"u8),
            .. Request(FuseOpcode.Open, 2, Number(0, 8)),
            .. Request(FuseOpcode.Read, 2, [.. Number(2, 8), .. Number(0, 8), .. Number(64, 24)]),
            .. Request(FuseOpcode.Open, 3, Number(1, 8)),
            .. Request(FuseOpcode.ReleaseFolder, 1, [.. s_handle1, .. Number(0, 16)]),
            .. Request(FuseOpcode.Statistics, 1, []),
            .. Request(FuseOpcode.Forget, 2, Number(1, 8)),
            .. Request(FuseOpcode.Lookup, 1, "foreign\0"u8),
        ],
    ];

    public override void Run(ReadOnlySpan<byte> input)
    {
        _device.AsSpan().Fill(Mark);
        var file = new MemoryBlocks(_device);
        var session = new ExportSession(new ExportedDevices(() => [new ExportedDevice("soft0", _catalogue, file)], static _ => false), DateTimeOffset.UnixEpoch);
        var reader = new InputReader(input);
        for (ulong unique = 1; !reader.IsEmpty; unique++)
        {
            byte opcode = reader.Byte();
            byte node = reader.Byte();
            ReadOnlySpan<byte> body = reader.Bytes(reader.Short());
            byte[] packet = Packet(opcode, unique, node, body);
            int length = session.Answer(packet, _reply);
            Promise(session.Answer(packet.AsSpan(0, packet.Length - 1), _reply.AsSpan(0, 0)) == 0, "a packet that is cut off has no answer");
            if (length == 0)
            {
                Promise((FuseOpcode)opcode is FuseOpcode.Forget or FuseOpcode.ForgetMany or FuseOpcode.Interrupt, "what wants an answer has one");
                continue;
            }

            int error = BinaryPrimitives.ReadInt32LittleEndian(_reply.AsSpan(4));
            Promise(length >= FuseReply.HeaderLength && BinaryPrimitives.ReadUInt32LittleEndian(_reply) == (uint)length, "a reply says its length");
            Promise(BinaryPrimitives.ReadUInt64LittleEndian(_reply.AsSpan(8)) == unique, "a reply has its request's number");
            Promise(error is <= 0 and > -1000 && (error == 0 || length == FuseReply.HeaderLength), "a reply is data or an error");
        }

        for (int i = 0; i < _device.Length; i++)
        {
            Promise(_isOwn[i] || _device[i] == Mark, "nothing is written but in the user's own area");
        }
    }

    public void Dispose() => _catalogue.Dispose();

    private static byte[] Packet(byte opcode, ulong unique, byte node, ReadOnlySpan<byte> body) =>
    [
        .. Number((ulong)(FuseRequest.HeaderLength + body.Length), 4), .. Number(opcode, 4), .. Number(unique, 8), .. Number(node, 8),
        .. Number(User, 4), .. Number(User, 4), .. Number(1, 8), .. body,
    ];

    private static byte[] Request(FuseOpcode opcode, byte node, ReadOnlySpan<byte> body) => [(byte)opcode, node, .. Number((ulong)body.Length, 2), .. body];

    private static byte[] Transfer(ulong offset, ulong size) => [.. s_handle1, .. Number(offset, 8), .. Number(size, 24)];

    private static byte[] Number(ulong value, int length)
    {
        byte[] bytes = new byte[Math.Max(length, sizeof(ulong))];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes[..length];
    }

    private sealed class MemoryBlocks(byte[] bytes) : IBlockFile
    {
        public void Read(Span<byte> buffer, long offset) => bytes.AsSpan((int)offset, buffer.Length).CopyTo(buffer);

        public void Write(ReadOnlySpan<byte> from, long offset) => from.CopyTo(bytes.AsSpan((int)offset, from.Length));

        public void Zero(long offset, long length) => bytes.AsSpan((int)offset, (int)length).Clear();

        public void Flush()
        {
        }
    }

    private sealed class MemoryPlace : ICataloguePlace
    {
        public string Path => "memory";

        public ICatalogueFile? Open() => null;

        public ICatalogueFile CreateHidden() => new MemoryFile();

        public void Publish()
        {
        }

        // Nobody reads it back.
        private sealed class MemoryFile : ICatalogueFile
        {
            public int Read(Span<byte> buffer, long offset) => 0;

            public void Write(ReadOnlySpan<byte> bytes, long offset)
            {
            }

            public void Flush()
            {
            }

            public void Dispose()
            {
            }
        }
    }
}
