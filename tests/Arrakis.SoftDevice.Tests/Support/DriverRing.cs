using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>The driver side of a split ring, as plain as can be: each chain gets fresh descriptors and buffers until it is used.</summary>
internal sealed unsafe class DriverRing : IDriverRing
{
    private readonly QueueMemory _memory;
    private readonly Stack<ushort> _freeDescriptors = new();
    private readonly Dictionary<ushort, List<ushort>> _chains = [];
    private readonly int[] _lengths;
    private ushort _available;
    private ushort _usedSeen;

    public DriverRing(QueueMemory memory, long offset, int size, int bufferSize, long buffersAt)
    {
        _memory = memory;
        Layout = RingLayout.At(RingFormat.Split, offset, size);
        BufferSize = bufferSize;
        BuffersAt = buffersAt;
        _lengths = new int[size];
        for (int i = size - 1; i >= 0; i--)
        {
            _freeDescriptors.Push((ushort)i);
        }
    }

    public RingLayout Layout { get; }

    public int BufferSize { get; }

    public long BuffersAt { get; }

    public int FreeDescriptors => _freeDescriptors.Count;

    public int Size => Layout.QueueSize;

    public ref ushort AvailableFlags => ref *(ushort*)(_memory.Start + Layout.DriverArea);

    public ref ushort AvailableIndex => ref *(ushort*)(_memory.Start + Layout.DriverArea + 2);

    public ref ushort UsedFlags => ref *(ushort*)(_memory.Start + Layout.DeviceArea);

    public ushort UsedIndex => Volatile.Read(ref *(ushort*)(_memory.Start + Layout.DeviceArea + 2));

    public static DriverRing Create(int size, int bufferSize, out QueueMemory memory)
    {
        long buffers = RingLayout.At(RingFormat.Split, 0, size).End + 4095 & ~4095L;
        memory = new QueueMemory(buffers + (long)size * bufferSize);
        return new DriverRing(memory, 0, size, bufferSize, buffers);
    }

    public SplitDeviceRing AttachDevice(ushort next = 0, VirtioFeatures features = VirtioFeatures.None)
    {
        Assert.Equal(RingFault.None, SplitDeviceRing.TryAttach(_memory.Table, Layout, new FrontEndAddress(QueueMemory.FrontEndBase), next, features, out SplitDeviceRing? ring));
        return ring!;
    }

    public DeviceRing Attach(VirtioFeatures features) => AttachDevice(AvailableIndex, features);

    /// <summary>used_event: wants to be told when this many chains, and one more, are used.</summary>
    public void WantEventAfter(int used) => *(ushort*)(_memory.Start + Layout.DriverArea + 4 + Size * 2) = (ushort)(_usedSeen + used);

    /// <summary>Whether avail_event says that the entry that was filled last is waited for.</summary>
    public bool DoorbellIsWanted => *(ushort*)(_memory.Start + Layout.DeviceArea + 4 + Size * 8) == (ushort)(_available - 1);

    /// <summary>The start of a ring that has been used before: both sides go on from the same index.</summary>
    public void StartAt(ushort index)
    {
        _available = _usedSeen = index;
        AvailableIndex = index;
        *(ushort*)(_memory.Start + Layout.DeviceArea + 2) = index;
    }

    public Span<byte> Buffer(int descriptor) => new(_memory.Start + BuffersAt + (long)descriptor * BufferSize, BufferSize);

    public void WriteDescriptor(int index, ulong address, uint length, ushort flags, ushort next)
    {
        byte* entry = _memory.Start + Layout.DescriptorArea + index * 16;
        *(ulong*)entry = address;
        *(uint*)(entry + 8) = length;
        *(ushort*)(entry + 12) = flags;
        *(ushort*)(entry + 14) = next;
    }

    public ulong AddressOf(int descriptor) => QueueMemory.IovaBase + (ulong)(BuffersAt + (long)descriptor * BufferSize);

    /// <summary>Makes a chain of the data available, cut into pieces.</summary>
    public bool TrySend(ReadOnlySpan<byte> data, int pieces = 1)
    {
        if (_freeDescriptors.Count < pieces)
        {
            return false;
        }

        var chain = new List<ushort>();
        for (int i = 0; i < pieces; i++)
        {
            chain.Add(_freeDescriptors.Pop());
        }

        int at = 0;
        for (int i = 0; i < pieces; i++)
        {
            int length = i == pieces - 1 ? data.Length - at : data.Length / pieces;
            data.Slice(at, length).CopyTo(Buffer(chain[i]));
            at += length;
            bool last = i == pieces - 1;
            _lengths[chain[i]] = length;
            WriteDescriptor(chain[i], AddressOf(chain[i]), (uint)length, last ? (ushort)0 : DescriptorFlags.Next, last ? (ushort)0 : chain[i + 1]);
        }

        MakeAvailable(chain);
        return true;
    }

    /// <summary>Makes an empty buffer available, cut into pieces.</summary>
    public bool TryOffer(int pieces = 1, int? length = null)
    {
        if (_freeDescriptors.Count < pieces)
        {
            return false;
        }

        var chain = new List<ushort>();
        for (int i = 0; i < pieces; i++)
        {
            chain.Add(_freeDescriptors.Pop());
        }

        for (int i = 0; i < pieces; i++)
        {
            bool last = i == pieces - 1;
            _lengths[chain[i]] = length ?? BufferSize;
            WriteDescriptor(
                chain[i],
                AddressOf(chain[i]),
                (uint)(length ?? BufferSize),
                (ushort)(DescriptorFlags.Write | (last ? 0 : DescriptorFlags.Next)),
                last ? (ushort)0 : chain[i + 1]);
        }

        MakeAvailable(chain);
        return true;
    }

    public bool TrySendIndirect(ReadOnlySpan<byte> data, int pieces) => TryAddIndirect(data, pieces, BufferSize, 0);

    public bool TryOfferIndirect(int pieces, int length) => TryAddIndirect([], pieces, length, DescriptorFlags.Write);

    /// <summary>Takes the next used chain: its bytes as far as the device says it has written.</summary>
    public bool TryTake(out byte[] data)
    {
        data = [];
        if (UsedIndex == _usedSeen)
        {
            return false;
        }

        byte* entry = _memory.Start + Layout.DeviceArea + 4 + (_usedSeen & Size - 1) * 8;
        ushort head = (ushort)*(uint*)entry;
        uint written = *(uint*)(entry + 4);
        _usedSeen++;
        List<ushort> chain = _chains[head];
        _ = _chains.Remove(head);
        using var bytes = new MemoryStream();
        foreach (ushort descriptor in chain)
        {
            uint length = Math.Min((uint)_lengths[descriptor], written - (uint)bytes.Length);
            bytes.Write(Buffer(descriptor)[..(int)length]);
            _freeDescriptors.Push(descriptor);
        }

        data = bytes.ToArray();
        return true;
    }

    /// <summary>Makes a head available, whatever it is.</summary>
    public void MakeAvailable(ushort head)
    {
        *(ushort*)(_memory.Start + Layout.DriverArea + 4 + (_available & Size - 1) * 2) = head;
        _available++;
        Volatile.Write(ref AvailableIndex, _available);
    }

    // The head's own buffer holds the table; the entries behind it have buffers of other descriptors.
    private bool TryAddIndirect(ReadOnlySpan<byte> data, int pieces, int length, ushort flags)
    {
        if (_freeDescriptors.Count < pieces + 1)
        {
            return false;
        }

        List<ushort> chain = [.. Enumerable.Range(0, pieces + 1).Select(_ => _freeDescriptors.Pop())];
        Span<byte> table = Buffer(chain[0]);
        for (int i = 0; i < pieces; i++)
        {
            bool last = i == pieces - 1;
            int part = flags != 0 ? length : last ? data.Length : data.Length / (pieces - i);
            data[..Math.Min(part, data.Length)].CopyTo(Buffer(chain[i + 1]));
            data = data[Math.Min(part, data.Length)..];
            WriteEntry(table[(i * 16)..], AddressOf(chain[i + 1]), (uint)part, (ushort)(flags | (last ? 0 : DescriptorFlags.Next)), (ushort)(i + 1));
            _lengths[chain[i + 1]] = part;
        }

        WriteDescriptor(chain[0], AddressOf(chain[0]), (uint)(pieces * 16), DescriptorFlags.Indirect, 0);
        _lengths[chain[0]] = 0;
        MakeAvailable(chain);
        return true;
    }

    private static void WriteEntry(Span<byte> entry, ulong address, uint length, ushort flags, ushort next)
    {
        BitConverter.TryWriteBytes(entry, address);
        BitConverter.TryWriteBytes(entry[8..], length);
        BitConverter.TryWriteBytes(entry[12..], flags);
        BitConverter.TryWriteBytes(entry[14..], next);
    }

    private void MakeAvailable(List<ushort> chain)
    {
        _chains[chain[0]] = chain;
        MakeAvailable(chain[0]);
    }
}
