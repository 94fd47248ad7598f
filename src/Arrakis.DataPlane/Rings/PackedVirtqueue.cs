using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// A packed virtqueue (virtio 1.2 §2.8): one ring, in which the device overwrites what the driver wrote, and wrap counters
/// that say whose a descriptor is. Whatever the device wrote is read once into a local and checked before use.
/// </summary>
internal unsafe struct PackedVirtqueue : IVirtqueue<PackedVirtqueue>
{
    private const int FlagsShift = 48;
    private const int IdShift = 32;
    private const ulong OwnerBits = (ulong)(DescriptorFlags.Available | DescriptorFlags.Used) << FlagsShift;

    private readonly byte* _ring;
    private readonly byte* _driverEvent;
    private readonly byte* _deviceEvent;
    private readonly Doorbell _doorbell;
    private readonly ushort[] _chainLengths; // By id; zero while it is not with the device.
    private readonly QueueDirection? _direction;
    private readonly uint _mask;
    private readonly bool _inOrder;
    private readonly bool _eventIndex;

    // Descriptors counted, not positions: free-running, of which the low bits are the place in the ring, and the next bit
    // tells the wrap counter (§2.8.1). Invariant: _nextUsed <= _published <= _nextAvailable, within one size.
    private uint _nextAvailable;
    private uint _published;
    private uint _nextUsed;

    // The first descriptor that the device has not been told of gets its flags last: the device sees all of them or none, and
    // does not fight for the lines while they are being written.
    private ulong _firstWord;

    // In order: how many chains are left of a batch of which the device named only the last (§2.8.9), and that one's length.
    private uint _batchLeft;
    private uint _batchLength;

    private PackedVirtqueue(DmaRegion region, RingLayout layout, QueueDirection? direction, VirtioFeatures features, Doorbell doorbell)
    {
        _ring = region.At(layout.DescriptorArea, layout.DescriptorAreaLength);
        _driverEvent = region.At(layout.DriverArea, layout.DriverAreaLength);
        _deviceEvent = region.At(layout.DeviceArea, layout.DeviceAreaLength);
        _doorbell = doorbell;
        _direction = direction;
        _mask = (uint)layout.QueueSize - 1;
        _inOrder = (features & VirtioFeatures.InOrder) != 0;
        _eventIndex = (features & VirtioFeatures.RingEventIndex) != 0;
        _chainLengths = new ushort[layout.QueueSize];
        DisarmEvents();
        NoteNextUsed(0);
    }

    /// <inheritdoc/>
    public readonly int Size => (int)_mask + 1;

    /// <inheritdoc/>
    public readonly int Unpublished => (int)(_nextAvailable - _published);

    /// <inheritdoc/>
    public static PackedVirtqueue Attach(DmaRegion region, RingLayout ring, QueueDirection? direction, VirtioFeatures features, Doorbell doorbell) =>
        new(region, ring, direction, features, doorbell);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MakeAvailable(ReadOnlySpan<BufferDescriptor> buffers)
    {
        uint next = _nextAvailable;
        ref ushort chainLengths = ref MemoryMarshal.GetArrayDataReference(_chainLengths);
        int first = 0;
        for (int i = 0; i < buffers.Length; i++)
        {
            ref readonly BufferDescriptor buffer = ref buffers[i];
            byte* descriptor = _ring + (nint)(next & _mask) * PackedFormat.DescriptorSize;
            Volatile.Write(ref *(ulong*)descriptor, buffer.Address.Value);

            // The device takes the id from the last descriptor of a chain (§2.8.6); here they all have the first one's.
            uint id = buffers[first].Id & _mask;
            ulong word = buffer.WithId((ushort)id).Word | AvailableBits(next);
            if (next == _published)
            {
                _firstWord = word;
            }
            else
            {
                Volatile.Write(ref *(ulong*)(descriptor + PackedFormat.DescriptorLengthOffset), word);
            }

            next++;
            if (!buffer.HasNext)
            {
                Unsafe.Add(ref chainLengths, id) = (ushort)(i - first + 1);
                first = i + 1;
            }
        }

        _nextAvailable = next;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Publish()
    {
        uint told = _published;
        if (told == _nextAvailable)
        {
            return;
        }

        _published = _nextAvailable;

        // Release: everything else before the flags of the first descriptor (§2.8.21.3).
        Volatile.Write(ref *(ulong*)(_ring + (nint)(told & _mask) * PackedFormat.DescriptorSize + PackedFormat.DescriptorLengthOffset), _firstWord);

        // Full barrier: the flags are visible before the device's wish is read (§2.8.21.3.1), as in a split ring.
        Interlocked.MemoryBarrier();
        uint wish = Volatile.Read(ref *(uint*)_deviceEvent);
        uint flags = wish >> 16 & 3;
        if (flags == PackedFormat.EventsEnabled || (flags == PackedFormat.EventAtDescriptor && _eventIndex && IsPassed((ushort)wish, told)))
        {
            RingDoorbell();
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int TakeUsed(Span<UsedBuffer> used, bool withLengths)
    {
        uint next = _nextUsed;
        if (_batchLeft == 0 && (next == _published || !IsUsed(next, ReadWord(next))))
        {
            return 0;
        }

        return _inOrder ? TakeInOrder(used) : TakeAny(used);
    }

    /// <inheritdoc/>
    public bool TryArmEvents()
    {
        // Place, wrap counter and flags in one store (§2.8.14).
        Volatile.Write(
            ref *(uint*)_driverEvent,
            _eventIndex
                ? Place(_nextUsed) | (uint)PackedFormat.EventAtDescriptor << 16
                : (uint)PackedFormat.EventsEnabled << 16);

        // Full barrier: the device sees the wish, or this side sees what it used meanwhile.
        Interlocked.MemoryBarrier();
        if (_batchLeft == 0 && (_nextUsed == _published || !IsUsed(_nextUsed, ReadWord(_nextUsed))))
        {
            return true;
        }

        DisarmEvents();
        return false;
    }

    /// <inheritdoc/>
    public readonly void DisarmEvents() => Volatile.Write(ref *(uint*)_driverEvent, (uint)PackedFormat.EventsDisabled << 16);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public readonly void RingDoorbell() => _doorbell.Ring();

    // One in the first round, then it changes each round.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly bool WrapCounter(uint descriptor) => (descriptor & (_mask + 1)) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly ulong AvailableBits(uint descriptor) =>
        (ulong)(WrapCounter(descriptor) ? DescriptorFlags.Available : DescriptorFlags.Used) << FlagsShift;

    // Used where both bits equal the wrap counter.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly bool IsUsed(uint descriptor, ulong word) => (word & OwnerBits) == (WrapCounter(descriptor) ? OwnerBits : 0);

    // Length, id and flags in one load. Acquire: before the buffer that it covers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly ulong ReadWord(uint descriptor) =>
        Volatile.Read(ref *(ulong*)(_ring + (nint)(descriptor & _mask) * PackedFormat.DescriptorSize + PackedFormat.DescriptorLengthOffset));

    // For the control plane: see PackedFormat.DriverNoteOffset. A line of its own, so it costs a store a batch.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void NoteNextUsed(uint next)
    {
        _nextUsed = next;
        Volatile.Write(ref *(ushort*)(_driverEvent + PackedFormat.DriverNoteOffset), (ushort)(Place(next) ^ PackedFormat.WrapBit));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly uint Place(uint descriptor) => (descriptor & _mask) | (WrapCounter(descriptor) ? (uint)PackedFormat.WrapBit : 0);

    private readonly bool IsPassed(ushort wish, uint told)
    {
        // The place that the device named, as it is counted here (§2.8.10.1): in this round or in the one before.
        uint wanted = (uint)(wish & ~PackedFormat.WrapBit);
        uint round = _published & ~_mask;
        if ((wish & PackedFormat.WrapBit) != 0 != WrapCounter(_published))
        {
            round -= _mask + 1;
        }

        return EventIndex.IsPassed((ushort)(round + wanted), (ushort)_published, (ushort)told);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int TakeAny(Span<UsedBuffer> used)
    {
        uint next = _nextUsed;
        int count = 0;
        while (count < used.Length && next != _published)
        {
            ulong word = ReadWord(next);
            if (!IsUsed(next, word))
            {
                break;
            }

            uint id = (ushort)(word >> IdShift);
            if (id > _mask || _chainLengths[id] == 0 || _chainLengths[id] > _published - next)
            {
                ThrowId(id);
            }

            // The device writes one descriptor and skips the others of the chain (§2.8.6).
            next += _chainLengths[id];
            _chainLengths[id] = 0;
            used[count++] = new UsedBuffer(id, (uint)word);
        }

        NoteNextUsed(next);
        return count;
    }

    // Ids are the places of the chains' first descriptors.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int TakeInOrder(Span<UsedBuffer> used)
    {
        uint next = _nextUsed;
        uint left = _batchLeft;
        int count = 0;
        while (count < used.Length)
        {
            uint id = next & _mask;
            if (left == 0)
            {
                if (next == _published)
                {
                    break;
                }

                ulong word = ReadWord(next);
                if (!IsUsed(next, word))
                {
                    break;
                }

                _batchLength = UsedBuffer.LengthFromDevice((uint)word);
                uint last = (ushort)(word >> IdShift);
                left = last == id ? 1 : CountBatch(last, next);
            }

            used[count++] = new UsedBuffer(id, --left == 0 ? _batchLength : UsedBuffer.WholeBuffer);
            next += _chainLengths[id];
        }

        _batchLeft = left;
        NoteNextUsed(next);
        return count;
    }

    // How many chains there are from this one to the one that the device named as the last of a batch (§2.8.9).
    private readonly uint CountBatch(uint last, uint head)
    {
        uint count = 1;
        for (uint at = head; (at & _mask) != last; count++)
        {
            at += _chainLengths[at & _mask];
            if (_published - at - 1 > _mask)
            {
                ThrowId(last);
            }
        }

        return count;
    }

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void ThrowId(uint id) => throw RingCorruptException.BadId(_direction, id, Size);
}
