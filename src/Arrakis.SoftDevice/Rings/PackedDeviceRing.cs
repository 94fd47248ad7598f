using System.Runtime.CompilerServices;
using Arrakis.SoftDevice.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Rings;

/// <summary>The device side of a packed virtqueue (virtio 1.2 §2.8).</summary>
/// <remarks>
/// A used descriptor takes the place of the first descriptor of its chain. The first that is not shown yet waits in a local
/// until <see cref="Publish"/>; those behind it are in the ring at once, where the driver, which goes in order, cannot see
/// them before the first.
/// </remarks>
public sealed unsafe class PackedDeviceRing : DeviceRing
{
    // In the second word of a descriptor: length u32, id u16, flags u16.
    private const int IdShift = 32;
    private const int FlagsShift = 48;
    private const ulong WrapMask = (ulong)(DescriptorFlags.Available | DescriptorFlags.Used) << FlagsShift;

    private readonly byte* _ring;
    private readonly byte* _driverEvent;
    private readonly byte* _deviceEvent;
    private readonly int _maxChain;
    private readonly bool _isInOrder;

    private int _next; // position of the next chain to take
    private ulong _availableMark = (ulong)DescriptorFlags.Available << FlagsShift; // what the wrap bits of an available descriptor are there
    private int _nextUsed; // position of the next used descriptor: of frames the same
    private ulong _usedMark; // as _availableMark, there
    private Taken _read; // the chain that was read last

    private byte* _pendingPlace; // where the first used descriptor that is not shown is to go; null where there is none
    private ulong _pendingWord;
    private bool _pendingIsAlone; // whether none is in the ring behind it
    private int _publishedNext;
    private ulong _publishedMark;
    private int _publishedBefore; // shown before the last time that something was

    private PackedDeviceRing(MemoryTable memory, int size, byte* ring, byte* driverEvent, byte* deviceEvent, ushort next, VirtioFeatures features)
        : base(memory, size, features)
    {
        _ring = ring;
        _driverEvent = driverEvent;
        _deviceEvent = deviceEvent;
        _maxChain = Math.Min(size, MaxChainLength);
        _isInOrder = (features & VirtioFeatures.InOrder) != 0;
        _next = _nextUsed = _publishedNext = _publishedBefore = next & ~PackedFormat.WrapBit;
        if ((next & PackedFormat.WrapBit) == 0)
        {
            _availableMark ^= WrapMask;
        }

        _publishedMark = _usedMark = _availableMark;
    }

    /// <inheritdoc/>
    /// <remarks>Bit 15 is the wrap counter.</remarks>
    public override ushort NextAvailable => (ushort)(_next | (IsFirstRound(_availableMark) ? PackedFormat.WrapBit : 0));

    /// <inheritdoc/>
    public override bool HasAvailable
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (Volatile.Read(ref *(ulong*)(_ring + _next * PackedFormat.DescriptorSize + PackedFormat.DescriptorLengthOffset)) & WrapMask) == _availableMark;
    }

    /// <inheritdoc/>
    public override bool DriverWantsEvent
    {
        get
        {
            uint wanted = Volatile.Read(ref *(uint*)_driverEvent);
            ushort flags = (ushort)(wanted >> 16);
            if (flags != PackedFormat.EventAtDescriptor || !HasEventIndex)
            {
                return flags != PackedFormat.EventsDisabled;
            }

            // Whether the position is among those that were shown last, counted back from the end of these (§2.8.10).
            bool sameRound = ((wanted & PackedFormat.WrapBit) != 0) == IsFirstRound(_publishedMark);
            int back = _publishedNext - (int)(wanted & ~(uint)PackedFormat.WrapBit & ushort.MaxValue) + (sameRound ? 0 : Size);
            int shown = _publishedNext - _publishedBefore;
            return back > 0 && back <= (shown <= 0 ? shown + Size : shown);
        }
    }

    /// <summary>Finds a ring in a front end's memory.</summary>
    /// <param name="memory">The memory; it must outlive the ring.</param>
    /// <param name="size">Descriptors: a power of two, 2 to 32768.</param>
    /// <param name="ringAddress">Descriptor ring.</param>
    /// <param name="driverEvent">Driver's event suppression.</param>
    /// <param name="deviceEvent">Device's event suppression.</param>
    /// <param name="next">Position to go on at; bit 15 is the wrap counter, which starts with one.</param>
    /// <param name="features">What was negotiated.</param>
    /// <param name="ring">The ring, where there is no fault.</param>
    public static RingFault TryAttach(
        MemoryTable memory,
        int size,
        FrontEndAddress ringAddress,
        FrontEndAddress driverEvent,
        FrontEndAddress deviceEvent,
        ushort next,
        VirtioFeatures features,
        out PackedDeviceRing? ring)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ring = null;
        if (!RingLayout.IsValidQueueSize(size))
        {
            return RingFault.SizeInvalid;
        }

        if ((next & ~PackedFormat.WrapBit) >= size)
        {
            return RingFault.BaseOutOfRange;
        }

        // Alignments of §2.8.10.1: 16, 4 and 4.
        RingLayout layout = RingLayout.At(RingFormat.Packed, 0, size);
        byte* descriptors = memory.Translate(ringAddress, (ulong)layout.DescriptorAreaLength);
        if (descriptors is null || ((nuint)descriptors & 15) != 0)
        {
            return RingFault.DescriptorTableOutside;
        }

        byte* driver = memory.Translate(driverEvent, PackedFormat.EventSize);
        if (driver is null || ((nuint)driver & 3) != 0)
        {
            return RingFault.AvailableRingOutside;
        }

        byte* device = memory.Translate(deviceEvent, PackedFormat.EventSize);
        if (device is null || ((nuint)device & 3) != 0)
        {
            return RingFault.UsedRingOutside;
        }

        ring = new PackedDeviceRing(memory, size, descriptors, driver, device, next, features);
        return RingFault.None;
    }

    /// <summary>Finds a ring that lies in memory as <paramref name="layout"/> says, counted from <paramref name="start"/>.</summary>
    /// <param name="memory">The memory; it must outlive the ring.</param>
    /// <param name="layout">Offsets of the parts.</param>
    /// <param name="start">The address that the offsets count from.</param>
    /// <param name="next">Position to go on at; bit 15 is the wrap counter, which starts with one.</param>
    /// <param name="features">What was negotiated.</param>
    /// <param name="ring">The ring, where there is no fault.</param>
    public static RingFault TryAttach(
        MemoryTable memory,
        RingLayout layout,
        FrontEndAddress start,
        ushort next,
        VirtioFeatures features,
        out PackedDeviceRing? ring) =>
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
        if (!TryTake(_next, _availableMark, out ulong word))
        {
            length = 0;
            return Fault == RingFault.None ? RingRead.Empty : RingRead.Broken;
        }

        ushort flags = (ushort)(word >> FlagsShift);
        if ((flags & (DescriptorFlags.Next | DescriptorFlags.Indirect | DescriptorFlags.Write)) == 0
            && Memory.Translate(ReadAddress(_ring, _next), (uint)word) is var buffer && buffer is not null)
        {
            _read = new Taken((ushort)(word >> IdShift), 1, 0);
            return CopyOut(buffer, (uint)word, header, frame, out length);
        }

        // More than one buffer, or a fault: begins anew, and believes nothing of what was read here.
        return ReadChain(header, frame, out length, out _read);
    }

    /// <inheritdoc/>
    public override void Complete()
    {
        if (_isInOrder && _pendingPlace is not null && _pendingIsAlone && (_pendingWord & (ulong)DescriptorFlags.Write << FlagsShift) == 0)
        {
            // One used descriptor tells of all before it too (§2.8.9): its id becomes that of the last.
            _pendingWord = (_pendingWord & ~((ulong)ushort.MaxValue << IdShift)) | (ulong)_read.Id << IdShift;
            Advance(_read.Descriptors);
            return;
        }

        AddUsed(_read, 0);
    }

    /// <inheritdoc/>
    public override RingWrite TryWrite(ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame)
    {
        if (!TryTake(_next, _availableMark, out ulong word))
        {
            return Fault == RingFault.None ? RingWrite.Full : RingWrite.Broken;
        }

        uint room = (uint)word;
        ushort flags = (ushort)(word >> FlagsShift);
        if ((flags & (DescriptorFlags.Next | DescriptorFlags.Indirect | DescriptorFlags.Write)) == DescriptorFlags.Write
            && room >= (uint)(header.Length + frame.Length)
            && Memory.Translate(ReadAddress(_ring, _next), room) is var buffer && buffer is not null)
        {
            CopyIn(buffer, header, frame);
            AddUsed(new Taken((ushort)(word >> IdShift), 1, 0), (uint)(header.Length + frame.Length));
            return RingWrite.Done;
        }

        return WriteChains(header, frame);
    }

    /// <inheritdoc/>
    public override bool Publish()
    {
        if (_pendingPlace is null)
        {
            return false;
        }

        // Release: the used descriptors behind this one, and the bytes of the frames, before it. Its length, id and flags are
        // one word, so that the driver sees all or none.
        Volatile.Write(ref *(ulong*)_pendingPlace, _pendingWord);
        _pendingPlace = null;
        _publishedBefore = _publishedNext;
        _publishedNext = _nextUsed;
        _publishedMark = _usedMark;
        return true;
    }

    /// <inheritdoc/>
    public override void OwnNext()
    {
        if (TryTake(_next, _availableMark, out ulong word)
            && ((word >> FlagsShift) & (DescriptorFlags.Indirect | DescriptorFlags.Write)) == DescriptorFlags.Write)
        {
            Own(ReadAddress(_ring, _next).Value, (uint)word);
        }
    }

    /// <inheritdoc/>
    public override void RequestNotification(bool wanted)
    {
        // One store: position and wrap counter u16, flags u16.
        uint request = !wanted ? (uint)PackedFormat.EventsDisabled << 16
            : HasEventIndex ? (uint)PackedFormat.EventAtDescriptor << 16 | NextAvailable
            : (uint)PackedFormat.EventsEnabled << 16;
        Volatile.Write(ref *(uint*)_deviceEvent, request);
        if (wanted)
        {
            // The request before the look at the next descriptor.
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

        Move(ref _next, ref _availableMark, taken.Descriptors);
        request = new RingRequest(taken.Id, taken.Descriptors);
        return true;
    }

    /// <inheritdoc/>
    /// <remarks>The used descriptor comes where the last one ended, whichever chain it is of (§2.8.6).</remarks>
    public override void Return(RingRequest request, uint written)
    {
        PutUsed(request.Id, written);
        Move(ref _nextUsed, ref _usedMark, request.Descriptors);
    }

    private protected override bool TryCollect(int chains, int descriptors, ushort forbidden, ushort required, out Taken taken)
    {
        int position = _next + descriptors;
        ulong mark = position > Mask ? _availableMark ^ WrapMask : _availableMark;
        position &= Mask;
        if (descriptors > Mask || !TryTake(position, mark, out ulong word))
        {
            taken = default;
            return false;
        }

        for (ushort walked = 1; ; walked++)
        {
            // The last descriptor of a chain has its id (§2.8.6).
            ushort flags = (ushort)(word >> FlagsShift);
            taken = new Taken((ushort)(word >> IdShift), walked, 0);
            ulong address = ReadAddress(_ring, position).Value;
            if ((flags & DescriptorFlags.Indirect) != 0)
            {
                return TryCollectTable(address, (uint)word, walked == 1 && (flags & DescriptorFlags.Next) == 0, forbidden, required);
            }

            if (!TryAddSegment(address, (uint)word, flags, forbidden, required))
            {
                return false;
            }

            if ((flags & DescriptorFlags.Next) == 0)
            {
                return true;
            }

            if (walked == _maxChain)
            {
                Fault = RingFault.ChainTooLong;
                return false;
            }

            position = (position + 1) & Mask;
            word = ReadWord(_ring, position);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected override void AddUsed(Taken taken, uint length)
    {
        PutUsed(taken.Id, length);
        Advance(taken.Descriptors);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void PutUsed(ushort id, uint length)
    {
        // The wrap bits are both the counter's (§2.8.1); WRITE tells that there is a length (§2.8.4).
        ulong flags = (IsFirstRound(_usedMark) ? WrapMask : 0) | (length == 0 ? 0 : (ulong)DescriptorFlags.Write << FlagsShift);
        ulong word = flags | (ulong)id << IdShift | length;
        byte* place = _ring + _nextUsed * PackedFormat.DescriptorSize + PackedFormat.DescriptorLengthOffset;
        if (_pendingPlace is null)
        {
            _pendingPlace = place;
            _pendingWord = word;
            _pendingIsAlone = true;
        }
        else
        {
            _pendingIsAlone = false;
            Volatile.Write(ref *(ulong*)place, word);
        }
    }

    // A table is a list, without links (§2.8.7); flags other than WRITE mean nothing in it.
    private bool TryCollectTable(ulong address, uint tableLength, bool isAlone, ushort forbidden, ushort required)
    {
        byte* table = FindTable(address, tableLength, isAlone, out int count);
        if (table is null)
        {
            return false;
        }

        if (count > MaxChainLength)
        {
            Fault = RingFault.ChainTooLong;
            return false;
        }

        for (int index = 0; index < count; index++)
        {
            ulong word = ReadWord(table, index);
            ushort flags = (ushort)(word >> FlagsShift);
            if ((flags & DescriptorFlags.Indirect) != 0)
            {
                Fault = RingFault.IndirectNested;
                return false;
            }

            if (!TryAddSegment(ReadAddress(table, index).Value, (uint)word, flags, forbidden, required))
            {
                return false;
            }
        }

        return true;
    }

    // Acquire: the flags, which come with length and id in one word, before the address (§2.8.13).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryTake(int position, ulong mark, out ulong word)
    {
        word = ReadWord(_ring, position);
        return (word & WrapMask) == mark && Fault == RingFault.None;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Advance(int descriptors)
    {
        Move(ref _next, ref _availableMark, descriptors);
        _nextUsed = _next;
        _usedMark = _availableMark;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Move(ref int position, ref ulong mark, int descriptors)
    {
        position += descriptors;
        if (position > Mask)
        {
            position &= Mask;
            mark ^= WrapMask;
        }
    }

    private static bool IsFirstRound(ulong mark) => (mark & (ulong)DescriptorFlags.Available << FlagsShift) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ReadWord(byte* table, int index) =>
        Volatile.Read(ref *(ulong*)(table + index * PackedFormat.DescriptorSize + PackedFormat.DescriptorLengthOffset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Iova ReadAddress(byte* table, int index) => new(Volatile.Read(ref *(ulong*)(table + index * PackedFormat.DescriptorSize)));
}
