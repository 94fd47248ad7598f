using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>The driver side of a packed ring, as plain as can be: each chain has an id and buffers of its own until it is used.</summary>
internal sealed unsafe class PackedDriverRing : IDriverRing
{
    private readonly QueueMemory _memory;
    private readonly int _bufferSize;
    private readonly long _buffersAt;
    private readonly Stack<int> _freeBuffers = new();
    private readonly Stack<ushort> _freeIds = new();
    private readonly Queue<Chain> _outstanding = new();
    private int _freeDescriptors;
    private int _next;
    private bool _wrap = true;
    private int _usedNext;
    private bool _usedWrap = true;
    private ushort? _batchEnd; // with VIRTIO_F_IN_ORDER: the id of the last chain that a used descriptor tells of

    private PackedDriverRing(QueueMemory memory, int size, int bufferSize, long buffersAt)
    {
        _memory = memory;
        _bufferSize = bufferSize;
        _buffersAt = buffersAt;
        Layout = RingLayout.At(RingFormat.Packed, 0, size);
        _freeDescriptors = size;
        for (int i = 2 * size - 1; i >= 0; i--)
        {
            _freeBuffers.Push(i);
        }

        // Any ids will do; not those of the positions.
        for (int i = 0; i < size; i++)
        {
            _freeIds.Push((ushort)(i * 3 + 1));
        }
    }

    public RingLayout Layout { get; }

    public int Size => Layout.QueueSize;

    /// <summary>The device's event suppression: position and wrap counter, and flags above them.</summary>
    public uint DeviceEvent => *(uint*)(_memory.Start + Layout.DeviceArea);

    /// <summary>The driver's.</summary>
    public ref uint DriverEvent => ref *(uint*)(_memory.Start + Layout.DriverArea);

    public bool DoorbellIsWanted =>
        DeviceEvent == ((uint)PackedFormat.EventAtDescriptor << 16 | (uint)_lastPosition | (_lastWrap ? PackedFormat.WrapBit : 0u));

    private int _lastPosition;
    private bool _lastWrap;

    public static PackedDriverRing Create(int size, int bufferSize, out QueueMemory memory)
    {
        long buffers = RingLayout.At(RingFormat.Packed, 0, size).End + 4095 & ~4095L;
        memory = new QueueMemory(buffers + 2L * size * bufferSize);
        return new PackedDriverRing(memory, size, bufferSize, buffers);
    }

    public PackedDeviceRing AttachDevice(VirtioFeatures features = VirtioFeatures.RingPacked, ushort? next = null)
    {
        ushort start = next ?? (ushort)(_next | (_wrap ? PackedFormat.WrapBit : 0));
        Assert.Equal(RingFault.None, PackedDeviceRing.TryAttach(_memory.Table, Layout, new FrontEndAddress(QueueMemory.FrontEndBase), start, features, out PackedDeviceRing? ring));
        return ring!;
    }

    public DeviceRing Attach(VirtioFeatures features) => AttachDevice(features);

    /// <summary>The start of a ring that has been used before: both sides go on from the same place.</summary>
    public void StartAt(int position, bool wrap)
    {
        _next = _usedNext = position;
        _wrap = _usedWrap = wrap;
        for (int i = 0; i < Size; i++)
        {
            // Used by now: in this round before the position, in the last one after it.
            bool counter = i < position ? wrap : !wrap;
            WriteDescriptor(i, 0, 0, 0, (ushort)(counter ? DescriptorFlags.Available | DescriptorFlags.Used : 0));
        }
    }

    public void WantEventAfter(int used)
    {
        int position = _usedNext + used;
        bool wrap = position < Size ? _usedWrap : !_usedWrap;
        DriverEvent = (uint)PackedFormat.EventAtDescriptor << 16 | (uint)(position % Size) | (wrap ? PackedFormat.WrapBit : 0u);
    }

    public void WriteDescriptor(int index, ulong address, uint length, ushort id, ushort flags)
    {
        byte* entry = _memory.Start + Layout.DescriptorArea + index * 16;
        *(ulong*)entry = address;
        *(uint*)(entry + 8) = length;
        *(ushort*)(entry + 12) = id;
        Volatile.Write(ref *(ushort*)(entry + 14), flags);
    }

    public ulong AddressOf(int buffer) => QueueMemory.IovaBase + (ulong)(_buffersAt + (long)buffer * _bufferSize);

    public Span<byte> Buffer(int buffer) => new(_memory.Start + _buffersAt + (long)buffer * _bufferSize, _bufferSize);

    /// <summary>The flags that make a descriptor available in the round under way.</summary>
    public ushort AvailableFlags(ushort flags = 0) => (ushort)(flags | (_wrap ? DescriptorFlags.Available : DescriptorFlags.Used));

    public bool TrySend(ReadOnlySpan<byte> data, int pieces = 1) => TryAdd(data, pieces, 0, 0, indirect: false);

    public bool TrySendIndirect(ReadOnlySpan<byte> data, int pieces) => TryAdd(data, pieces, 0, 0, indirect: true);

    public bool TryOffer(int pieces = 1, int? length = null) => TryAdd([], pieces, length ?? _bufferSize, DescriptorFlags.Write, indirect: false);

    public bool TryOfferIndirect(int pieces, int length) => TryAdd([], pieces, length, DescriptorFlags.Write, indirect: true);

    public bool TryTake(out byte[] data)
    {
        data = [];
        uint written = 0;
        if (_batchEnd is null)
        {
            byte* entry = _memory.Start + Layout.DescriptorArea + _usedNext * 16;
            ushort flags = Volatile.Read(ref *(ushort*)(entry + 14));
            bool available = (flags & DescriptorFlags.Available) != 0;
            bool used = (flags & DescriptorFlags.Used) != 0;
            if (available != used || used != _usedWrap)
            {
                return false;
            }

            _batchEnd = *(ushort*)(entry + 12);
            written = (flags & DescriptorFlags.Write) != 0 ? *(uint*)(entry + 8) : 0;
        }

        Chain chain = _outstanding.Dequeue();
        if (chain.Id == _batchEnd)
        {
            _batchEnd = null;
        }

        _usedNext += chain.Descriptors;
        if (_usedNext >= Size)
        {
            _usedNext -= Size;
            _usedWrap = !_usedWrap;
        }

        using var bytes = new MemoryStream();
        foreach ((int buffer, int length) in chain.Buffers)
        {
            bytes.Write(Buffer(buffer)[..(int)Math.Min(length, written - bytes.Length)]);
            _freeBuffers.Push(buffer);
        }

        _freeDescriptors += chain.Descriptors;
        _freeIds.Push(chain.Id);
        data = bytes.ToArray();
        return true;
    }

    private bool TryAdd(ReadOnlySpan<byte> data, int pieces, int length, ushort flags, bool indirect)
    {
        int descriptors = indirect ? 1 : pieces;
        if (_freeDescriptors < descriptors || _freeBuffers.Count < pieces + 1)
        {
            return false;
        }

        ushort id = _freeIds.Pop();
        var buffers = new List<(int Buffer, int Length)>();
        for (int i = 0; i < pieces; i++)
        {
            int part = flags != 0 ? length : i == pieces - 1 ? data.Length : data.Length / (pieces - i);
            int buffer = _freeBuffers.Pop();
            data[..Math.Min(part, data.Length)].CopyTo(Buffer(buffer));
            data = data[Math.Min(part, data.Length)..];
            buffers.Add((buffer, part));
        }

        int first = _next;
        bool firstWrap = _wrap;
        (_lastPosition, _lastWrap) = (_next, _wrap);
        _freeDescriptors -= descriptors;
        if (indirect)
        {
            int table = _freeBuffers.Pop();
            for (int i = 0; i < pieces; i++)
            {
                Span<byte> entry = Buffer(table)[(i * 16)..];
                BitConverter.TryWriteBytes(entry, AddressOf(buffers[i].Buffer));
                BitConverter.TryWriteBytes(entry[8..], (uint)buffers[i].Length);
                BitConverter.TryWriteBytes(entry[12..], 0);
                BitConverter.TryWriteBytes(entry[14..], flags);
            }

            ushort available = AvailableFlags(DescriptorFlags.Indirect);
            WriteDescriptor(_next, AddressOf(table), (uint)(pieces * 16), id, available);
            Step();
            _outstanding.Enqueue(new Chain(id, 1, [(table, 0), .. buffers]));
            return true;
        }

        // The first descriptor last: it makes the chain available.
        for (int i = 0; i < pieces; i++, Step())
        {
            ushort available = AvailableFlags((ushort)(flags | (i == pieces - 1 ? 0 : DescriptorFlags.Next)));
            WriteDescriptor(_next, AddressOf(buffers[i].Buffer), (uint)buffers[i].Length, id, i == 0 ? (ushort)(available ^ (DescriptorFlags.Available | DescriptorFlags.Used)) : available);
        }

        ref ushort start = ref *(ushort*)(_memory.Start + Layout.DescriptorArea + first * 16 + 14);
        Volatile.Write(ref start, (ushort)(start ^ (DescriptorFlags.Available | DescriptorFlags.Used)));
        Assert.Equal(firstWrap, (start & DescriptorFlags.Available) != 0);
        _outstanding.Enqueue(new Chain(id, pieces, buffers));
        return true;
    }

    private void Step()
    {
        if (++_next == Size)
        {
            _next = 0;
            _wrap = !_wrap;
        }
    }

    private sealed record Chain(ushort Id, int Descriptors, List<(int Buffer, int Length)> Buffers);
}
