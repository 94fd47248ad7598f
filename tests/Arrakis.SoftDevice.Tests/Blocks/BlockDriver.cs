using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Blocks;

/// <summary>How a request came back.</summary>
/// <param name="Slot">What submitting it gave.</param>
/// <param name="Status">The status byte.</param>
/// <param name="Written">What the ring says was written, the status included.</param>
/// <param name="Data">The room for data, as it is now.</param>
internal readonly record struct BlockOutcome(int Slot, VirtioBlockStatus Status, uint Written, byte[] Data);

/// <summary>How a request is laid out in memory.</summary>
/// <param name="Pieces">Descriptors of the data.</param>
/// <param name="IsIndirect">Whether they are in a table.</param>
/// <param name="Shift">Bytes that the data begins after the start of a page.</param>
internal readonly record struct RequestShape(int Pieces = 1, bool IsIndirect = false, int Shift = 0);

/// <summary>The driver side of a block queue of either format, as plain as can be.</summary>
internal sealed unsafe class BlockDriver : IDisposable
{
    private const int Page = 4096;
    private const int StatusUntouched = 0xEE;

    private readonly RingFormat _format;
    private readonly int _dataSize;
    private readonly long _slotsAt;
    private readonly Slot[] _slots;
    private readonly Stack<int> _freeSlots = new();
    private readonly Stack<ushort> _freeDescriptors = new();
    private readonly Dictionary<ushort, int> _heads = [];
    private ushort _available;
    private ushort _usedSeen;
    private int _position;
    private bool _wrap = true;
    private int _usedPosition;
    private bool _usedWrap = true;

    public BlockDriver(RingFormat format, int size = 64, int slots = 16, int dataSize = 4 * Page)
    {
        _format = format;
        _dataSize = dataSize;
        Layout = RingLayout.At(format, 0, size);
        _slotsAt = Layout.End + Page - 1 & ~(long)(Page - 1);
        Memory = new QueueMemory(_slotsAt + (long)slots * Stride);
        _slots = new Slot[slots];
        for (int i = slots - 1; i >= 0; i--)
        {
            _freeSlots.Push(i);
        }

        for (int i = size - 1; i >= 0; i--)
        {
            _freeDescriptors.Push((ushort)i);
        }
    }

    public QueueMemory Memory { get; }

    public RingLayout Layout { get; }

    private long Stride => 3 * Page + _dataSize;

    private int Size => Layout.QueueSize;

    public DeviceRing Attach(VirtioFeatures features)
    {
        features |= VirtioFeatures.Version1 | VirtioFeatures.RingIndirectDescriptors | (_format == RingFormat.Packed ? VirtioFeatures.RingPacked : 0);
        ushort next = _format == RingFormat.Packed ? (ushort)(_position | (_wrap ? PackedFormat.WrapBit : 0)) : _available;
        RingFault fault = DeviceRing.TryAttach(
            Memory.Table, Size, At(Layout.DescriptorArea), At(Layout.DriverArea), At(Layout.DeviceArea), next, features, out DeviceRing? ring);
        Assert.Equal(RingFault.None, fault);
        return ring!;

        static FrontEndAddress At(long offset) => new(QueueMemory.FrontEndBase + (ulong)offset);
    }

    /// <summary>Makes a request available. Null where there is no room for it.</summary>
    public int? TrySubmit(VirtioBlockType type, ulong sector, ReadOnlySpan<byte> data, int room, RequestShape shape)
    {
        int pieces = shape.Pieces;
        int descriptors = shape.IsIndirect ? 1 : pieces + 2;
        if (_freeSlots.Count == 0 || _freeDescriptors.Count < descriptors)
        {
            return null;
        }

        int index = _freeSlots.Pop();
        long start = _slotsAt + index * Stride;
        new VirtioBlockRequest(type, sector).Write(new Span<byte>(Memory.Start + start, VirtioBlockRequest.HeaderLength));
        long dataAt = start + Page + shape.Shift;
        data.CopyTo(new Span<byte>(Memory.Start + dataAt, data.Length));
        long statusAt = start + 2 * Page + _dataSize;
        Memory.Start[statusAt] = StatusUntouched;

        int length = data.Length + room;
        List<Entry> entries = [new Entry(start, VirtioBlockRequest.HeaderLength, false)];
        int at = 0;
        for (int i = 0; i < pieces && length > 0; i++)
        {
            int part = i == pieces - 1 ? length - at : length / pieces & ~511;
            entries.Add(new Entry(dataAt + at, (uint)part, room != 0));
            at += part;
        }

        entries.Add(new Entry(statusAt, 1, true));
        _slots[index] = new Slot(dataAt, length, statusAt, shape.IsIndirect ? 1 : entries.Count, []);
        if (shape.IsIndirect)
        {
            long table = start + 64;
            for (int i = 0; i < entries.Count; i++)
            {
                Write(Memory.Start + table + i * 16, entries[i], (ushort)i, i + 1 < entries.Count ? (ushort)(i + 1) : null, DescriptorFlags.Next);
            }

            MakeAvailable(index, [new Entry(table, (uint)(entries.Count * 16), false)], DescriptorFlags.Indirect);
        }
        else
        {
            MakeAvailable(index, entries, 0);
        }

        return index;
    }

    /// <summary>Takes the next request that came back.</summary>
    public bool TryTake(out BlockOutcome outcome)
    {
        outcome = default;
        int index;
        uint written;
        if (_format == RingFormat.Packed)
        {
            byte* place = Memory.Start + Layout.DescriptorArea + _usedPosition * 16;
            ushort flags = Volatile.Read(ref *(ushort*)(place + 14));
            if (((flags & DescriptorFlags.Available) != 0) != _usedWrap || ((flags & DescriptorFlags.Used) != 0) != _usedWrap)
            {
                return false;
            }

            written = *(uint*)(place + 8);
            index = *(ushort*)(place + 12);
            _usedPosition += _slots[index].Descriptors;
            _usedWrap ^= _usedPosition >= Size;
            _usedPosition %= Size;
            for (int i = 0; i < _slots[index].Descriptors; i++)
            {
                _freeDescriptors.Push(0);
            }
        }
        else
        {
            if (Volatile.Read(ref *(ushort*)(Memory.Start + Layout.DeviceArea + 2)) == _usedSeen)
            {
                return false;
            }

            byte* entry = Memory.Start + Layout.DeviceArea + 4 + (_usedSeen++ & Size - 1) * 8;
            written = *(uint*)(entry + 4);
            Assert.True(_heads.Remove((ushort)*(uint*)entry, out index), "the device gave back what it did not have");
            foreach (ushort descriptor in _slots[index].Chain)
            {
                _freeDescriptors.Push(descriptor);
            }
        }

        Slot slot = _slots[index];
        outcome = new BlockOutcome(index, (VirtioBlockStatus)Memory.Start[slot.StatusAt], written, new Span<byte>(Memory.Start + slot.DataAt, slot.Length).ToArray());
        _freeSlots.Push(index);
        return true;
    }

    public void Dispose() => Memory.Dispose();

    private void MakeAvailable(int index, List<Entry> entries, ushort flags)
    {
        if (_format == RingFormat.Split)
        {
            ushort[] chain = [.. entries.Select(_ => _freeDescriptors.Pop())];
            for (int i = 0; i < entries.Count; i++)
            {
                Write(Memory.Start + Layout.DescriptorArea + chain[i] * 16, entries[i], 0, i + 1 < entries.Count ? chain[i + 1] : null, (ushort)(DescriptorFlags.Next | flags));
            }

            if (flags != 0)
            {
                *(ushort*)(Memory.Start + Layout.DescriptorArea + chain[0] * 16 + 12) = flags;
            }

            _slots[index] = _slots[index] with { Chain = chain };
            _heads[chain[0]] = index;
            *(ushort*)(Memory.Start + Layout.DriverArea + 4 + (_available & Size - 1) * 2) = chain[0];
            _available++;
            Volatile.Write(ref *(ushort*)(Memory.Start + Layout.DriverArea + 2), _available);
            return;
        }

        // The first descriptor's flags are written last (virtio 1.2 §2.8.15.1).
        int first = _position;
        ushort firstFlags = 0;
        for (int i = 0; i < entries.Count; i++)
        {
            _ = _freeDescriptors.Pop();
            byte* place = Memory.Start + Layout.DescriptorArea + _position * 16;
            *(ulong*)place = QueueMemory.IovaBase + (ulong)entries[i].Offset;
            *(uint*)(place + 8) = entries[i].Length;
            *(ushort*)(place + 12) = (ushort)index;
            ushort own = (ushort)((_wrap ? DescriptorFlags.Available : DescriptorFlags.Used)
                | (entries[i].IsWritten ? DescriptorFlags.Write : 0) | (i + 1 < entries.Count ? DescriptorFlags.Next : 0) | flags);
            if (i == 0)
            {
                firstFlags = own;
            }
            else
            {
                *(ushort*)(place + 14) = own;
            }

            _position++;
            _wrap ^= _position == Size;
            _position %= Size;
        }

        Volatile.Write(ref *(ushort*)(Memory.Start + Layout.DescriptorArea + first * 16 + 14), firstFlags);
    }

    private void Write(byte* place, Entry entry, ushort id, ushort? next, ushort nextFlag)
    {
        *(ulong*)place = QueueMemory.IovaBase + (ulong)entry.Offset;
        *(uint*)(place + 8) = entry.Length;
        ushort written = entry.IsWritten ? DescriptorFlags.Write : (ushort)0;
        if (_format == RingFormat.Split)
        {
            *(ushort*)(place + 12) = (ushort)(written | (next is null ? 0 : nextFlag));
            *(ushort*)(place + 14) = next ?? 0;
        }
        else
        {
            *(ushort*)(place + 12) = id;
            *(ushort*)(place + 14) = written;
        }
    }

    private readonly record struct Entry(long Offset, uint Length, bool IsWritten);

    private readonly record struct Slot(long DataAt, int Length, long StatusAt, int Descriptors, ushort[] Chain);
}
