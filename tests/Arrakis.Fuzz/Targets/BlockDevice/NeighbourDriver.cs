using Arrakis.Contract.Control;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets.BlockDevice;

/// <summary>
/// A driver whose chains are all requests, cut into pieces and placed as the input says, and ask for whatever it says. Each is answered
/// once, with the status and the data that <see cref="RequestModel"/> has.
/// </summary>
internal sealed class NeighbourDriver : IDisposable
{
    private const int Length = 16384;
    private const int Table = 1024;
    private const int Readable = 2048;
    private const int Writable = 8192;
    private const int MaxPieces = 4;
    private const byte Untouched = 0xEE;

    private static readonly VirtioBlockType[] _types =
    [
        VirtioBlockType.Read, VirtioBlockType.Write, VirtioBlockType.Read, VirtioBlockType.Write,
        VirtioBlockType.WriteZeroes, VirtioBlockType.Discard, VirtioBlockType.Flush, VirtioBlockType.GetId,
    ];

    private static readonly int[] _shifts = [0, 1, 8, 512 - VirtioBlockRequest.HeaderLength]; // the last has the data of a write aligned

    private readonly GuardedMemory _memory = new(Length);
    private readonly byte[] _expected = new byte[Length];
    private readonly List<Descriptor> _chain = [];
    private BlockMachine? _machine;
    private DriverMemory? _ring;
    private DeviceRing? _device;
    private ushort _head;
    private int _position;
    private bool _round;
    private ushort _used;
    private int _salt;
    private BlockCounters _counted = new();
    private long _refused;

    /// <summary>Whether nothing was written around its memory.</summary>
    public bool IsIntact => _memory.IsIntact;

    /// <summary>Begins with an empty ring.</summary>
    public void Start(BlockMachine machine, RingFormat format, VirtioFeatures features)
    {
        _memory.Bytes.Clear();
        _machine = machine;
        _ring = new DriverMemory(format, _memory);
        _device = _ring.Attach(features, _ring.IsPacked ? PackedFormat.WrapBit : (ushort)0);
        FuzzTarget.Promise(_device is not null, "a ring inside the memory can be attached");
        _head = _used = 0;
        _position = _salt = 0;
        _round = true;
        _counted = new BlockCounters();
        _refused = 0;
        machine.Attach(BlockMachine.Neighbour, _device!, features, _memory);
    }

    /// <summary>Ends it.</summary>
    public void Stop() => _machine!.Detach(BlockMachine.Neighbour);

    /// <summary>Makes the request that the input says, and checks what becomes of it.</summary>
    public void Request(ref InputReader reader)
    {
        int kind = reader.Byte();
        VirtioBlockRequest header = new(kind < 0xE0 ? _types[kind % _types.Length] : (VirtioBlockType)reader.Word(), Sector(ref reader));
        int size = reader.Byte();
        int data = size % 5 * BlockMachine.BlockSize + (size < 0xC0 ? 0 : size & 15);
        bool isRange = header.Type is VirtioBlockType.Discard or VirtioBlockType.WriteZeroes;
        int sent = isRange ? VirtioBlockSegment.Length + (size < 0xC0 ? 0 : size & 15) : header.Type == VirtioBlockType.Read && size < 0xE0 ? 0 : data;
        int room = header.Type == VirtioBlockType.Write && size < 0xE0 ? 0 : header.Type == VirtioBlockType.GetId ? size % 32 : isRange ? 0 : data;
        int shape = reader.Byte();
        int readable = Readable + _shifts[shape & 3];
        int writable = Writable + _shifts[shape >> 2 & 3];

        Span<byte> bytes = _memory.Bytes;
        header.Write(bytes[readable..]);
        Span<byte> payload = bytes.Slice(readable + VirtioBlockRequest.HeaderLength, sent);
        _salt++;
        for (int i = 0; i < sent; i++)
        {
            payload[i] = ForeignBytes.At(i, _salt);
        }

        if (isRange)
        {
            int flags = reader.Byte();
            new VirtioBlockSegment(Sector(ref reader), flags < 0xC0 ? reader.Byte() % 32u : reader.Word(), flags < 0xC0 ? (uint)flags & 1 : reader.Word()).Write(payload);
        }

        bytes.Slice(writable, room + VirtioBlockRequest.StatusLength).Fill(Untouched);
        _chain.Clear();
        Cut(readable, VirtioBlockRequest.HeaderLength + sent, 0, ref reader);
        Cut(writable, room + VirtioBlockRequest.StatusLength, DescriptorFlags.Write, ref reader);
        int descriptors = Submit(isIndirect: (shape & 16) != 0);

        bytes.CopyTo(_expected);
        Span<byte> answer = _expected.AsSpan(writable, room + VirtioBlockRequest.StatusLength);
        (VirtioBlockStatus status, uint written) = RequestModel.Answer(_machine!, BlockMachine.Neighbour, header, payload, answer[..room]);
        answer[room] = (byte)status;
        _machine!.Settle();
        FuzzTarget.Promise(_device!.Fault == RingFault.None, $"a chain that is a request does not break its ring ({_device.Fault})");
        Take(written, descriptors);
        FuzzTarget.Promise(bytes[writable + room] == (byte)status, $"a {header.Type} at {header.Sector} has the status {status}, not {bytes[writable + room]}");
        FuzzTarget.Promise(bytes[Table..].SequenceEqual(_expected.AsSpan(Table)), "a request writes what was asked for into its room, and nothing else");
        _machine.CheckContent();
        Count(header.Type, status, header.Type == VirtioBlockType.Write ? sent : written - VirtioBlockRequest.StatusLength);
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private void Count(VirtioBlockType type, VirtioBlockStatus status, long length)
    {
        _refused += status == VirtioBlockStatus.Ok ? 0 : 1;
        _counted = status != VirtioBlockStatus.Ok ? _counted : type switch
        {
            VirtioBlockType.Read => _counted with { Reads = _counted.Reads + 1, BytesRead = _counted.BytesRead + length },
            VirtioBlockType.Write => _counted with { Writes = _counted.Writes + 1, BytesWritten = _counted.BytesWritten + length },
            VirtioBlockType.Flush => _counted with { Flushes = _counted.Flushes + 1 },
            VirtioBlockType.Discard => _counted with { Discards = _counted.Discards + 1 },
            VirtioBlockType.WriteZeroes => _counted with { WriteZeroes = _counted.WriteZeroes + 1 },
            _ => _counted,
        };
        BlockCounters seen = _machine!.Port(BlockMachine.Neighbour).Statistics.Read();
        FuzzTarget.Promise(
            seen with { Refusals = _counted.Refusals } == _counted && seen.Refusals.Values.Sum() == _refused,
            "each request is counted once, as what it was");
    }

    private static ulong Sector(ref InputReader reader)
    {
        byte sector = reader.Byte();
        return sector < 0xE0 ? sector % 32u : reader.Long();
    }

    private void Cut(int at, int length, ushort flags, ref InputReader reader)
    {
        int pieces = 1 + reader.Byte() % MaxPieces;
        for (int i = 0; i < pieces; i++)
        {
            int part = i == pieces - 1 ? length : Math.Min(length, reader.Byte() * 5);
            _chain.Add(new Descriptor(GuardedMemory.Iova + (ulong)at, (uint)part, flags));
            at += part;
            length -= part;
        }
    }

    // Descriptors of the ring that it takes.
    private int Submit(bool isIndirect)
    {
        DriverMemory ring = _ring!;
        if (isIndirect)
        {
            for (int i = 0; i < _chain.Count; i++)
            {
                bool isLast = i == _chain.Count - 1;
                ushort next = isLast || ring.IsPacked ? (ushort)0 : DescriptorFlags.Next;
                ring.Write(Table + i * SplitFormat.DescriptorSize, _chain[i] with { Flags = (ushort)(_chain[i].Flags | next) }, (ushort)(i + 1));
            }

            uint length = (uint)(_chain.Count * SplitFormat.DescriptorSize);
            _chain.Clear();
            _chain.Add(new Descriptor(GuardedMemory.Iova + Table, length, DescriptorFlags.Indirect));
        }

        for (int i = 0; i < _chain.Count; i++)
        {
            ushort next = i == _chain.Count - 1 ? (ushort)0 : DescriptorFlags.Next;
            int place = ((ring.IsPacked ? _position : _head) + i) % DriverMemory.Size;
            bool round = _round ^ (_position + i >= DriverMemory.Size);
            ushort available = !ring.IsPacked ? (ushort)0 : round ? DescriptorFlags.Available : DescriptorFlags.Used;
            ring.Write(
                (int)ring.Layout.DescriptorArea + place * SplitFormat.DescriptorSize,
                _chain[i] with { Flags = (ushort)(_chain[i].Flags | next | available) },
                ring.IsPacked ? _head : (ushort)((place + 1) % DriverMemory.Size));
        }

        if (!ring.IsPacked)
        {
            ring.MakeAvailable(_head);
        }

        return _chain.Count;
    }

    private void Take(uint written, int descriptors)
    {
        DriverMemory ring = _ring!;
        if (ring.IsPacked)
        {
            long place = ring.Layout.DescriptorArea + _position * PackedFormat.DescriptorSize;
            ushort used = (ushort)(DescriptorFlags.Write | (_round ? DescriptorFlags.Available | DescriptorFlags.Used : 0));
            FuzzTarget.Promise(
                ring.Short(place + PackedFormat.DescriptorFlagsOffset) == used && ring.Short(place + PackedFormat.DescriptorIdOffset) == _head
                    && ring.Word(place + PackedFormat.DescriptorLengthOffset) == written,
                "each request comes back once, with what was written into it");
            _position += descriptors;
            _round ^= _position >= DriverMemory.Size;
            _position %= DriverMemory.Size;
        }
        else
        {
            long entry = ring.Layout.DeviceArea + SplitFormat.EntriesOffset + _used % DriverMemory.Size * SplitFormat.UsedEntrySize;
            _used++;
            FuzzTarget.Promise(
                ring.Short(ring.Layout.DeviceArea + SplitFormat.IndexOffset) == _used && ring.Word(entry) == _head && ring.Word(entry + sizeof(uint)) == written,
                "each request comes back once, with what was written into it");
        }

        _head = (ushort)((_head + descriptors) % DriverMemory.Size);
    }
}
