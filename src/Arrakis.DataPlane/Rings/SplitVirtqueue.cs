using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// A split virtqueue (virtio 1.2 §2.7): the three shared parts, and private copies of all that the driver must not read back
/// from memory that the device can write. Whatever the device wrote is read once into a local and checked before use.
/// </summary>
internal unsafe struct SplitVirtqueue : IVirtqueue<SplitVirtqueue>
{
    private const uint EntriesPerLine = CacheLine.Size / SplitFormat.UsedEntrySize;
    private const uint MaxAhead = 64;

    private readonly byte* _descriptors;
    private readonly byte* _available;
    private readonly byte* _used;
    private readonly Doorbell _doorbell;
    private readonly WrittenDescriptor[] _written; // What each descriptor says.
    private readonly byte* _nowhere; // Where a descriptor that says so already is written to.
    private readonly ulong[] _nowhereOwner;
    private readonly ushort[] _chainLengths; // By the id of the first; zero while it is not with the device.
    private readonly QueueDirection? _direction;
    private readonly uint _mask;
    private readonly bool _inOrder;
    private readonly bool _eventIndex;

    // Where the next available entry goes, the index that the device was last told, the used index last seen, and the next
    // used entry to look at: free-running, of which the low 16 bits are the ring's (§2.7.6). Invariant:
    // _nextUsed <= _seenUsed <= _published <= _nextAvailable, within one size.
    private uint _nextAvailable;
    private uint _published;
    private uint _seenUsed;
    private uint _nextUsed;

    // In order: the first descriptor of the chain that is used next, and of a batch of which the device named only the last
    // chain (§2.7.9), how many are left and that one's length.
    private uint _nextHead;
    private uint _batchLeft;
    private uint _batchLength;

    private SplitVirtqueue(DmaRegion region, RingLayout layout, QueueDirection? direction, VirtioFeatures features, Doorbell doorbell)
    {
        _descriptors = region.At(layout.DescriptorArea, layout.DescriptorAreaLength);
        _available = region.At(layout.DriverArea, layout.DriverAreaLength);
        _used = region.At(layout.DeviceArea, layout.DeviceAreaLength);
        _doorbell = doorbell;
        _direction = direction;
        _mask = (uint)layout.QueueSize - 1;
        _inOrder = (features & VirtioFeatures.InOrder) != 0;
        _eventIndex = (features & VirtioFeatures.RingEventIndex) != 0;
        _written = new WrittenDescriptor[layout.QueueSize];
        _nowhereOwner = GC.AllocateArray<ulong>(2 * CacheLine.Size / sizeof(ulong), pinned: true);
        _nowhere = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_nowhereOwner)) + CacheLine.Size / 2;
        _chainLengths = new ushort[layout.QueueSize];
        DisarmEvents();
    }

    /// <inheritdoc/>
    public readonly int Size => (int)_mask + 1;

    /// <inheritdoc/>
    public readonly int Unpublished => (int)(_nextAvailable - _published);

    /// <inheritdoc/>
    public static SplitVirtqueue Attach(DmaRegion region, RingLayout ring, QueueDirection? direction, VirtioFeatures features, Doorbell doorbell) =>
        new(region, ring, direction, features, doorbell);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MakeAvailable(ReadOnlySpan<BufferDescriptor> buffers)
    {
        uint mask = _mask;
        uint next = _nextAvailable;
        ref WrittenDescriptor written = ref MemoryMarshal.GetArrayDataReference(_written);
        ref ushort chainLengths = ref MemoryMarshal.GetArrayDataReference(_chainLengths);
        for (int i = 0; i < buffers.Length; i++)
        {
            uint head = buffers[i].Id & mask;
            uint id = head;
            uint length = 1;
            while (buffers[i].HasNext)
            {
                uint following = buffers[i + 1].Id & mask;
                Write(ref Unsafe.Add(ref written, id), id, buffers[i], following);
                id = following;
                length++;
                i++;
            }

            Write(ref Unsafe.Add(ref written, id), id, buffers[i], 0);
            Unsafe.Add(ref chainLengths, head) = (ushort)length;

            // A device that works in order gets the same ids in the same entries each round: leaving them as they are spares
            // it a cache miss on the line.
            ref ushort entry = ref *(ushort*)(_available + SplitFormat.EntriesOffset + (nint)(next++ & mask) * SplitFormat.AvailableEntrySize);
            if (Volatile.Read(ref entry) != (ushort)head)
            {
                Volatile.Write(ref entry, (ushort)head);
            }
        }

        _nextAvailable = next;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Publish()
    {
        uint told = _published;
        _published = _nextAvailable;

        // Release: descriptors and entries are visible before the index that makes the device read them (§2.7.13.3.1).
        Volatile.Write(ref *(ushort*)(_available + SplitFormat.IndexOffset), (ushort)_nextAvailable);

        // Full barrier: the index is visible before the device's wish is read (§2.7.13.4.1). Without it both sides could read
        // the other's old value, and a sleeping device would not hear of the new entries. Needed on x86-64 too, where a
        // load may pass an earlier store.
        Interlocked.MemoryBarrier();
        if (_eventIndex
            ? EventIndex.IsPassed(Volatile.Read(ref *(ushort*)(_used + SplitFormat.EntriesOffset + (nint)Size * SplitFormat.UsedEntrySize)), (ushort)_published, (ushort)told)
            : (Volatile.Read(ref *(ushort*)_used) & SplitFormat.UsedNoNotify) == 0)
        {
            RingDoorbell();
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int TakeUsed(Span<UsedBuffer> used, bool withLengths)
    {
        if (_seenUsed == _nextUsed && !LookForUsed())
        {
            return 0;
        }

        return !_inOrder ? TakeAny(used) : withLengths ? TakeInOrder(used) : TakeHeads(used);
    }

    /// <inheritdoc/>
    public bool TryArmEvents()
    {
        if (_eventIndex)
        {
            Volatile.Write(ref UsedEvent, (ushort)_nextUsed);
        }
        else
        {
            Volatile.Write(ref *(ushort*)_available, 0);
        }

        // Full barrier: the device sees the wish, or this side sees what it used meanwhile (§2.7.7, §2.7.14).
        Interlocked.MemoryBarrier();
        if (_seenUsed == _nextUsed && !LookForUsed())
        {
            return true;
        }

        DisarmEvents();
        return false;
    }

    /// <inheritdoc/>
    public readonly void DisarmEvents()
    {
        if (_eventIndex)
        {
            // The flag means nothing then (§2.7.7): an index that is a whole round away.
            Volatile.Write(ref UsedEvent, (ushort)(_nextUsed - 1));
        }
        else
        {
            Volatile.Write(ref *(ushort*)_available, SplitFormat.AvailableNoInterrupt);
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public readonly void RingDoorbell() => _doorbell.Ring();

    private readonly ref ushort UsedEvent => ref *(ushort*)(_available + SplitFormat.EntriesOffset + (nint)Size * SplitFormat.AvailableEntrySize);

    // A descriptor that would say the same is left alone, so that its line stays in both caches. Which it is changes with the
    // traffic, so there is no branch to be mispredicted: one of the two places is written.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Write(ref WrittenDescriptor written, uint id, BufferDescriptor buffer, uint next)
    {
        ulong address = buffer.Address.Value;
        ulong word = buffer.SplitWord(next);
        ulong change = (written.Address ^ address) | (written.Word ^ word);
        written = new WrittenDescriptor(address, word);
        nint isChanged = (nint)((long)(change | (0 - change)) >> 63);
        byte* descriptor = _nowhere + ((nint)(_descriptors - _nowhere) + (nint)id * SplitFormat.DescriptorSize & isChanged);
        Volatile.Write(ref *(ulong*)descriptor, address);
        Volatile.Write(ref *(ulong*)(descriptor + SplitFormat.DescriptorLengthOffset), word);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool LookForUsed()
    {
        // The next entry is most likely written before the index: both lines come over at the same time.
        byte* entries = _used + SplitFormat.EntriesOffset;
        CacheLine.Prefetch(entries + (nint)(_nextUsed & _mask) * SplitFormat.UsedEntrySize);

        // Acquire: the index is read before the entries and buffers that it covers (§2.7.14).
        ushort index = Volatile.Read(ref *(ushort*)(_used + SplitFormat.IndexOffset));
        uint count = (ushort)(index - (ushort)_nextUsed);
        if (count > _published - _nextUsed)
        {
            ThrowIndex(index, count);
        }

        _seenUsed = _nextUsed + count;
        for (uint ahead = EntriesPerLine; ahead < Math.Min(count + EntriesPerLine, MaxAhead); ahead += EntriesPerLine)
        {
            CacheLine.Prefetch(entries + (nint)(_nextUsed + ahead & _mask) * SplitFormat.UsedEntrySize);
        }

        return count != 0;
    }

    // Id (low half) and length (high half) in one load.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly ulong ReadEntry(uint index) =>
        Volatile.Read(ref *(ulong*)(_used + SplitFormat.EntriesOffset + (nint)(index & _mask) * SplitFormat.UsedEntrySize));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int TakeAny(Span<UsedBuffer> used)
    {
        uint next = _nextUsed;
        int count = (int)Math.Min(_seenUsed - next, (uint)used.Length);
        for (int i = 0; i < count; i++)
        {
            ulong entry = ReadEntry(next++);
            uint id = (uint)entry;
            if (id > _mask || _chainLengths[id] == 0)
            {
                ThrowId(id);
            }

            _chainLengths[id] = 0;
            used[i] = new UsedBuffer(id, (uint)(entry >> 32));
        }

        _nextUsed = next;
        return count;
    }

    // The ids are those that were made available, one after the other: the entries need not be read.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int TakeHeads(Span<UsedBuffer> used)
    {
        int count = (int)Math.Min(_seenUsed - _nextUsed, (uint)used.Length);
        uint head = _nextHead;
        for (int i = 0; i < count; i++)
        {
            uint id = head & _mask;
            used[i] = new UsedBuffer(id, 0);
            head += _chainLengths[id];
        }

        _nextUsed += (uint)count;
        _nextHead = head;
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int TakeInOrder(Span<UsedBuffer> used)
    {
        uint next = _nextUsed;
        uint head = _nextHead;
        uint left = _batchLeft;
        int count = (int)Math.Min(_seenUsed - next, (uint)used.Length);
        for (int i = 0; i < count; i++)
        {
            uint id = head & _mask;
            if (left == 0)
            {
                ulong entry = ReadEntry(next);
                _batchLength = UsedBuffer.LengthFromDevice((uint)(entry >> 32));
                left = (uint)entry == id ? 1 : CountBatch((uint)entry, head, _seenUsed - next);
            }

            used[i] = new UsedBuffer(id, --left == 0 ? _batchLength : UsedBuffer.WholeBuffer);
            head += _chainLengths[id];
            next++;
        }

        _nextUsed = next;
        _nextHead = head;
        _batchLeft = left;
        return count;
    }

    // How many chains there are from the head to the one that the device named as the last of a batch (§2.7.9).
    private readonly uint CountBatch(uint last, uint head, uint available)
    {
        uint count = 1;
        for (uint at = head; (at & _mask) != last; at += _chainLengths[at & _mask])
        {
            if (++count > available)
            {
                ThrowId(last);
            }
        }

        return count;
    }

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void ThrowIndex(ushort index, uint count) =>
        throw new RingCorruptException(_direction, $"used index {index} is {count} after the last one, with {_published - _nextUsed} descriptors outstanding");

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void ThrowId(uint id) => throw RingCorruptException.BadId(_direction, id, Size);

    private readonly record struct WrittenDescriptor(ulong Address, ulong Word);
}
