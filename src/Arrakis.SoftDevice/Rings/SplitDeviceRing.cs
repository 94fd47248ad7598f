using System.Runtime.CompilerServices;
using Arrakis.SoftDevice.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Rings;

/// <summary>The device side of a split virtqueue (virtio 1.2 §2.7).</summary>
public sealed unsafe class SplitDeviceRing : DeviceRing
{
    private readonly byte* _descriptors;
    private readonly byte* _available;
    private readonly byte* _used;

    private ushort _availableIndex; // the driver's index when it was last looked at
    private ushort _next; // the next entry of the available ring to take
    private ushort _usedIndex; // entries written to the used ring
    private ushort _publishedIndex; // of these, shown to the driver
    private ushort _publishedBefore; // shown before the last time that something was
    private ushort _head; // first descriptor of the chain that was read last

    private SplitDeviceRing(MemoryTable memory, int size, byte* descriptors, byte* available, byte* used, ushort next, VirtioFeatures features)
        : base(memory, size, features)
    {
        _descriptors = descriptors;
        _available = available;
        _used = used;
        _next = next;
        _availableIndex = next;

        // What the driver has been shown already: zero in a new ring, more when a device resumes one.
        _usedIndex = Volatile.Read(ref *(ushort*)(used + SplitFormat.IndexOffset));
        _publishedIndex = _publishedBefore = _usedIndex;
    }

    /// <inheritdoc/>
    public override ushort NextAvailable => _next;

    /// <inheritdoc/>
    public override bool HasAvailable
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _availableIndex != _next || Volatile.Read(ref *(ushort*)(_available + SplitFormat.IndexOffset)) != _next;
    }

    /// <inheritdoc/>
    public override bool DriverWantsEvent
    {
        get
        {
            if (!HasEventIndex)
            {
                return (Volatile.Read(ref *(ushort*)_available) & SplitFormat.AvailableNoInterrupt) == 0;
            }

            // Whether used_event is among the entries that were shown last (§2.7.7.2).
            ushort wanted = Volatile.Read(ref *(ushort*)(_available + SplitFormat.EntriesOffset + Size * SplitFormat.AvailableEntrySize));
            return (ushort)(_publishedIndex - wanted - 1) < (ushort)(_publishedIndex - _publishedBefore);
        }
    }

    /// <summary>Finds a ring in a front end's memory.</summary>
    /// <param name="memory">The memory; it must outlive the ring.</param>
    /// <param name="size">Descriptors: a power of two, 2 to 32768.</param>
    /// <param name="descriptors">Descriptor table.</param>
    /// <param name="available">Available ring.</param>
    /// <param name="used">Used ring.</param>
    /// <param name="next">The first entry of the available ring to take.</param>
    /// <param name="features">What was negotiated.</param>
    /// <param name="ring">The ring, where there is no fault.</param>
    public static RingFault TryAttach(
        MemoryTable memory,
        int size,
        FrontEndAddress descriptors,
        FrontEndAddress available,
        FrontEndAddress used,
        ushort next,
        VirtioFeatures features,
        out SplitDeviceRing? ring)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ring = null;
        if (!RingLayout.IsValidQueueSize(size))
        {
            return RingFault.SizeInvalid;
        }

        // Alignments of §2.7: 16, 2 and 4. Mappings are page aligned, but a region may start anywhere in its mapping.
        RingLayout layout = RingLayout.At(RingFormat.Split, 0, size);
        byte* table = memory.Translate(descriptors, (ulong)layout.DescriptorAreaLength);
        if (table is null || ((nuint)table & 15) != 0)
        {
            return RingFault.DescriptorTableOutside;
        }

        byte* availableRing = memory.Translate(available, (ulong)layout.DriverAreaLength);
        if (availableRing is null || ((nuint)availableRing & 1) != 0)
        {
            return RingFault.AvailableRingOutside;
        }

        byte* usedRing = memory.Translate(used, (ulong)layout.DeviceAreaLength);
        if (usedRing is null || ((nuint)usedRing & 3) != 0)
        {
            return RingFault.UsedRingOutside;
        }

        ring = new SplitDeviceRing(memory, size, table, availableRing, usedRing, next, features);
        return RingFault.None;
    }

    /// <summary>Finds a ring, without any feature, that lies in memory as <paramref name="layout"/> says, counted from <paramref name="start"/>.</summary>
    /// <param name="memory">The memory; it must outlive the ring.</param>
    /// <param name="layout">Offsets of the parts.</param>
    /// <param name="start">The address that the offsets count from.</param>
    /// <param name="next">The first entry of the available ring to take.</param>
    /// <param name="ring">The ring, where there is no fault.</param>
    public static RingFault TryAttach(MemoryTable memory, RingLayout layout, FrontEndAddress start, ushort next, out SplitDeviceRing? ring) =>
        TryAttach(memory, layout, start, next, VirtioFeatures.None, out ring);

    /// <summary>Finds a ring that lies in memory as <paramref name="layout"/> says, counted from <paramref name="start"/>.</summary>
    /// <param name="memory">The memory; it must outlive the ring.</param>
    /// <param name="layout">Offsets of the parts.</param>
    /// <param name="start">The address that the offsets count from.</param>
    /// <param name="next">The first entry of the available ring to take.</param>
    /// <param name="features">What was negotiated.</param>
    /// <param name="ring">The ring, where there is no fault.</param>
    public static RingFault TryAttach(
        MemoryTable memory,
        RingLayout layout,
        FrontEndAddress start,
        ushort next,
        VirtioFeatures features,
        out SplitDeviceRing? ring) =>
        TryAttach(
            memory,
            layout.QueueSize,
            new FrontEndAddress(start.Value + (ulong)layout.DescriptorArea),
            new FrontEndAddress(start.Value + (ulong)layout.DriverArea),
            new FrontEndAddress(start.Value + (ulong)layout.DeviceArea),
            next,
            features,
            out ring);

    /// <inheritdoc/>
    public override RingRead TryRead(Span<byte> header, Span<byte> frame, out int length)
    {
        length = 0;
        if (!TryTakeHead(out ushort head))
        {
            return Fault == RingFault.None ? RingRead.Empty : RingRead.Broken;
        }

        if (head <= Mask)
        {
            ReadDescriptor(_descriptors, head, out ulong address, out uint bytes, out ushort flags, out _);
            if ((flags & (DescriptorFlags.Next | DescriptorFlags.Indirect | DescriptorFlags.Write)) == 0
                && Memory.Translate(new Iova(address), bytes) is var buffer && buffer is not null)
            {
                _head = head;
                return CopyOut(buffer, bytes, header, frame, out length);
            }
        }

        // More than one buffer, or a fault: begins anew, and believes nothing of what was read here.
        RingRead outcome = ReadChain(header, frame, out length, out Taken taken);
        _head = taken.Id;
        return outcome;
    }

    /// <inheritdoc/>
    public override void Complete() => AddUsed(_head, 0);

    /// <inheritdoc/>
    public override RingWrite TryWrite(ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame)
    {
        if (!TryTakeHead(out ushort head))
        {
            return Fault == RingFault.None ? RingWrite.Full : RingWrite.Broken;
        }

        if (head <= Mask)
        {
            ReadDescriptor(_descriptors, head, out ulong address, out uint room, out ushort flags, out _);
            if ((flags & (DescriptorFlags.Indirect | DescriptorFlags.Write)) == DescriptorFlags.Write
                && room >= (uint)(header.Length + frame.Length)
                && Memory.Translate(new Iova(address), room) is var buffer && buffer is not null)
            {
                CopyIn(buffer, header, frame);
                AddUsed(head, (uint)(header.Length + frame.Length));
                return RingWrite.Done;
            }
        }

        return WriteChains(header, frame);
    }

    /// <inheritdoc/>
    public override bool Publish()
    {
        if (_publishedIndex == _usedIndex)
        {
            return false;
        }

        // Release: the entries, and the bytes of the frames, before the index that shows them (§2.7.8.2).
        Volatile.Write(ref *(ushort*)(_used + SplitFormat.IndexOffset), _usedIndex);
        _publishedBefore = _publishedIndex;
        _publishedIndex = _usedIndex;
        return true;
    }

    /// <inheritdoc/>
    public override void OwnNext()
    {
        if (Fault != RingFault.None || _availableIndex == _next)
        {
            return;
        }

        int head = Volatile.Read(ref *(ushort*)(_available + SplitFormat.EntriesOffset + (_next & Mask) * SplitFormat.AvailableEntrySize)) & Mask;
        ReadDescriptor(_descriptors, head, out ulong address, out uint length, out ushort flags, out _);
        if ((flags & (DescriptorFlags.Indirect | DescriptorFlags.Write)) == DescriptorFlags.Write)
        {
            Own(address, length);
        }
    }

    /// <inheritdoc/>
    public override void RequestNotification(bool wanted)
    {
        if (HasEventIndex)
        {
            // The flags stay zero (§2.7.10.1). A doorbell is due when the next entry is filled; or was, long ago.
            Volatile.Write(ref *(ushort*)_used, 0);
            Volatile.Write(
                ref *(ushort*)(_used + SplitFormat.EntriesOffset + Size * SplitFormat.UsedEntrySize),
                wanted ? _next : (ushort)(_next - 1));
        }
        else
        {
            Volatile.Write(ref *(ushort*)_used, wanted ? (ushort)0 : SplitFormat.UsedNoNotify);
        }

        if (wanted)
        {
            // The request before the look at the available index.
            Interlocked.MemoryBarrier();
        }
    }

    /// <inheritdoc/>
    public override bool TryTakeRequest(out RingRequest request)
    {
        request = default;
        BeginRequest();
        if (!TryCollect(0, 0, 0, 0, out Taken taken) || !TryDivide())
        {
            return false;
        }

        _next++;
        request = new RingRequest(taken.Id, 1);
        return true;
    }

    /// <inheritdoc/>
    public override void Return(RingRequest request, uint written) => PutUsed(request.Id, written);

    private protected override bool TryCollect(int chains, int descriptors, ushort forbidden, ushort required, out Taken taken)
    {
        taken = default;
        ushort entry = (ushort)(_next + chains);
        if (Fault != RingFault.None || (entry == _availableIndex && !LookForMore(entry)))
        {
            return false;
        }

        ushort index = Volatile.Read(ref *(ushort*)(_available + SplitFormat.EntriesOffset + (entry & Mask) * SplitFormat.AvailableEntrySize));
        taken = new Taken(index, 1, 0);
        while (true)
        {
            if (index > Mask)
            {
                Fault = RingFault.DescriptorIndexOutOfRange;
                return false;
            }

            ReadDescriptor(_descriptors, index, out ulong address, out uint length, out ushort flags, out index);
            if ((flags & DescriptorFlags.Indirect) != 0)
            {
                return TryCollectTable(address, length, flags, forbidden, required);
            }

            if (!TryAddSegment(address, length, flags, forbidden, required))
            {
                return false;
            }

            if ((flags & DescriptorFlags.Next) == 0)
            {
                return true;
            }
        }
    }

    private protected override void AddUsed(Taken taken, uint length) => AddUsed(taken.Id, length);

    // A table has a chain of its own, linked like that of the ring (§2.7.5.3).
    private bool TryCollectTable(ulong address, uint tableLength, ushort tableFlags, ushort forbidden, ushort required)
    {
        byte* table = FindTable(address, tableLength, (tableFlags & DescriptorFlags.Next) == 0, out int count);
        ushort index = 0;
        while (table is not null)
        {
            if (index >= count)
            {
                Fault = RingFault.DescriptorIndexOutOfRange;
                return false;
            }

            ReadDescriptor(table, index, out address, out uint length, out ushort flags, out index);
            if ((flags & DescriptorFlags.Indirect) != 0)
            {
                Fault = RingFault.IndirectNested;
                return false;
            }

            if (!TryAddSegment(address, length, flags, forbidden, required))
            {
                return false;
            }

            if ((flags & DescriptorFlags.Next) == 0)
            {
                return true;
            }
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryTakeHead(out ushort head)
    {
        head = 0;
        if (Fault != RingFault.None || (_availableIndex == _next && !LookForMore(_next)))
        {
            return false;
        }

        head = Volatile.Read(ref *(ushort*)(_available + SplitFormat.EntriesOffset + (_next & Mask) * SplitFormat.AvailableEntrySize));
        return true;
    }

    // Whether there is more than what comes before an entry.
    private bool LookForMore(ushort entry)
    {
        // Acquire: the index before the entries and descriptors that it shows (§2.7.13).
        ushort index = Volatile.Read(ref *(ushort*)(_available + SplitFormat.IndexOffset));
        if ((ushort)(index - _next) > Size || (ushort)(index - _next) < (ushort)(entry - _next))
        {
            Fault = RingFault.AvailableIndexOutOfRange;
            return false;
        }

        _availableIndex = index;
        return index != entry;
    }

    // Two reads of eight bytes; tables of the ring are 16-byte aligned, a driver whose own are not hurts itself.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ReadDescriptor(byte* table, int index, out ulong address, out uint length, out ushort flags, out ushort next)
    {
        byte* entry = table + index * SplitFormat.DescriptorSize;
        address = Volatile.Read(ref *(ulong*)entry);
        ulong rest = Volatile.Read(ref *(ulong*)(entry + SplitFormat.DescriptorLengthOffset));
        length = (uint)rest;
        flags = (ushort)(rest >> 32);
        next = (ushort)(rest >> 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddUsed(ushort head, uint length)
    {
        PutUsed(head, length);
        _next++;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void PutUsed(ushort head, uint length)
    {
        // Plain stores of 4 aligned bytes each; Publish orders them before the index. With frames of one length an entry is
        // the same each round: leaving it as it is spares the driver a cache miss.
        byte* entry = _used + SplitFormat.EntriesOffset + (_usedIndex & Mask) * SplitFormat.UsedEntrySize;
        if (Volatile.Read(ref *(uint*)entry) != head || Volatile.Read(ref *(uint*)(entry + 4)) != length)
        {
            *(uint*)entry = head;
            *(uint*)(entry + 4) = length;
        }

        _usedIndex++;
    }
}
