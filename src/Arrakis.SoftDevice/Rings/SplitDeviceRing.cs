using System.Runtime.CompilerServices;
using Arrakis.SoftDevice.Memory;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Rings;

/// <summary>
/// The device side of a split virtqueue (virtio 1.2 §2.7), used strictly in order. The driver may be hostile: each field
/// that it can write is read once, into a local, and checked before it is used; what fails kills this ring and
/// nothing else. One thread at a time.
/// </summary>
/// <remarks>
/// Chains are completed in the order in which they were made available and none is held, so after a crash of the
/// device the used index says where to go on.
/// </remarks>
public sealed unsafe class SplitDeviceRing
{
    /// <summary>
    /// Descriptors that a chain may have. The specification allows as many as the ring has (§2.7.5.3.1 for tables);
    /// a frame of 1.5 KiB needs few, and walking 32768 empty ones for each frame would rob the neighbours of the core.
    /// </summary>
    public const int MaxChainLength = 256;

    private const int OwnedLength = 2 * 64; // A small frame with its headers: two cache lines.

    private readonly MemoryTable _memory;
    private readonly byte* _descriptors;
    private readonly byte* _available;
    private readonly byte* _used;
    private readonly int _mask;
    private readonly int _maxChain;

    private ushort _availableIndex; // the driver's index when it was last looked at
    private ushort _next; // the next entry of the available ring to take
    private ushort _usedIndex; // entries written to the used ring
    private ushort _publishedIndex; // of these, shown to the driver
    private ushort _head; // first descriptor of the chain that was read last

    private SplitDeviceRing(MemoryTable memory, int size, byte* descriptors, byte* available, byte* used, ushort next)
    {
        _memory = memory;
        _descriptors = descriptors;
        _available = available;
        _used = used;
        _mask = size - 1;
        _maxChain = Math.Min(size, MaxChainLength);
        _next = next;
        _availableIndex = next;

        // What the driver has been shown already: zero in a new ring, more when a device resumes one.
        _usedIndex = Volatile.Read(ref *(ushort*)(used + SplitFormat.IndexOffset));
        _publishedIndex = _usedIndex;
    }

    /// <summary>Why the ring is dead, if it is.</summary>
    public RingFault Fault { get; private set; }

    /// <summary>Descriptors in the ring.</summary>
    public int Size => _mask + 1;

    /// <summary>The next entry of the available ring to take: what GET_VRING_BASE answers.</summary>
    public ushort NextAvailable => _next;

    /// <summary>Whether the driver has made something available that was not taken yet.</summary>
    public bool HasAvailable
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _availableIndex != _next || Volatile.Read(ref *(ushort*)(_available + SplitFormat.IndexOffset)) != _next;
    }

    /// <summary>Finds a ring in a front end's memory.</summary>
    /// <param name="memory">The memory; it must outlive the ring.</param>
    /// <param name="size">Descriptors: a power of two, 2 to 32768.</param>
    /// <param name="descriptors">Descriptor table.</param>
    /// <param name="available">Available ring.</param>
    /// <param name="used">Used ring.</param>
    /// <param name="next">The first entry of the available ring to take.</param>
    /// <param name="ring">The ring, where there is no fault.</param>
    public static RingFault TryAttach(
        MemoryTable memory,
        int size,
        FrontEndAddress descriptors,
        FrontEndAddress available,
        FrontEndAddress used,
        ushort next,
        out SplitDeviceRing? ring)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ring = null;
        if (!VirtqueueLayout.IsValidQueueSize(size))
        {
            return RingFault.SizeInvalid;
        }

        // Alignments of §2.7: 16, 2 and 4. Mappings are page aligned, but a region may start anywhere in its mapping.
        VirtqueueLayout layout = VirtqueueLayout.At(VirtqueueFormat.Split, 0, size);
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

        ring = new SplitDeviceRing(memory, size, table, availableRing, usedRing, next);
        return RingFault.None;
    }

    /// <summary>Finds a ring that lies in memory as <paramref name="layout"/> says, counted from <paramref name="start"/>.</summary>
    /// <param name="memory">The memory; it must outlive the ring.</param>
    /// <param name="layout">Offsets of the parts.</param>
    /// <param name="start">The address that the offsets count from.</param>
    /// <param name="next">The first entry of the available ring to take.</param>
    /// <param name="ring">The ring, where there is no fault.</param>
    public static RingFault TryAttach(MemoryTable memory, VirtqueueLayout layout, FrontEndAddress start, ushort next, out SplitDeviceRing? ring) =>
        TryAttach(
            memory,
            layout.QueueSize,
            new FrontEndAddress(start.Value + (ulong)layout.DescriptorArea),
            new FrontEndAddress(start.Value + (ulong)layout.DriverArea),
            new FrontEndAddress(start.Value + (ulong)layout.DeviceArea),
            next,
            out ring);

    /// <summary>
    /// Copies the bytes of the next chain out of the driver's memory. The chain stays the next one until
    /// <see cref="Complete"/>.
    /// </summary>
    /// <param name="skip">Bytes at the start that are passed over: the virtio-net header.</param>
    /// <param name="frame">Where to.</param>
    /// <param name="length">Bytes copied.</param>
    public RingRead TryRead(int skip, Span<byte> frame, out int length)
    {
        length = 0;
        if (!TryTakeHead(out ushort index))
        {
            return Fault == RingFault.None ? RingRead.Empty : RingRead.Broken;
        }

        _head = index;
        bool fits = true;
        for (int walked = 1; ; walked++)
        {
            if (!TryReadDescriptor(index, DescriptorFlags.Write, 0, out Descriptor descriptor, out byte* buffer))
            {
                return RingRead.Broken;
            }

            uint bytes = descriptor.Length;
            if (skip > 0)
            {
                uint skipped = Math.Min((uint)skip, bytes);
                skip -= (int)skipped;
                buffer += skipped;
                bytes -= skipped;
            }

            fits &= bytes <= (uint)(frame.Length - length);
            if (fits && bytes != 0)
            {
                fixed (byte* destination = frame)
                {
                    Buffer.MemoryCopy(buffer, destination + length, frame.Length - length, bytes);
                }

                length += (int)bytes;
            }

            if ((descriptor.Flags & DescriptorFlags.Next) == 0)
            {
                return !fits ? RingRead.TooLong : skip > 0 ? RingRead.TooShort : RingRead.Frame;
            }

            index = descriptor.Next;
            if (walked == _maxChain)
            {
                Fault = RingFault.ChainTooLong;
                return RingRead.Broken;
            }
        }
    }

    /// <summary>Gives the chain that was read last back to the driver, at the next <see cref="Publish"/>.</summary>
    public void Complete() => AddUsed(_head, 0);

    /// <summary>Copies a frame into the driver's next chain, shown to the driver at the next <see cref="Publish"/>.</summary>
    /// <param name="header">What goes before the frame: the virtio-net header.</param>
    /// <param name="frame">The frame.</param>
    public RingWrite TryWrite(ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame)
    {
        if (!TryTakeHead(out ushort head))
        {
            return Fault == RingFault.None ? RingWrite.Full : RingWrite.Broken;
        }

        ushort index = head;
        int total = header.Length + frame.Length;
        int written = 0;
        for (int walked = 1; ; walked++)
        {
            if (!TryReadDescriptor(index, 0, DescriptorFlags.Write, out Descriptor descriptor, out byte* buffer))
            {
                return RingWrite.Broken;
            }

            uint room = descriptor.Length;
            if (written < header.Length)
            {
                written += CopyIn(header, written, ref buffer, ref room);
            }

            if (written >= header.Length)
            {
                written += CopyIn(frame, written - header.Length, ref buffer, ref room);
            }

            if (written == total)
            {
                AddUsed(head, (uint)total);
                return RingWrite.Done;
            }

            if ((descriptor.Flags & DescriptorFlags.Next) == 0)
            {
                return RingWrite.TooSmall;
            }

            index = descriptor.Next;
            if (walked == _maxChain)
            {
                Fault = RingFault.ChainTooLong;
                return RingWrite.Broken;
            }
        }
    }

    /// <summary>Shows the driver what was completed. Whether there was anything to show.</summary>
    public bool Publish()
    {
        if (_publishedIndex == _usedIndex)
        {
            return false;
        }

        // Release: the entries, and the bytes of the frames, before the index that shows them (§2.7.8.2).
        Volatile.Write(ref *(ushort*)(_used + SplitFormat.IndexOffset), _usedIndex);
        _publishedIndex = _usedIndex;
        return true;
    }

    /// <summary>
    /// Writes a little into the buffer that the next frame will be written to, to be called when there is time: its first
    /// lines are in the driver's cache since it read them, and come over before a frame waits for that.
    /// </summary>
    public void OwnNext()
    {
        if (Fault != RingFault.None || _availableIndex == _next)
        {
            return;
        }

        uint index = Volatile.Read(ref *(ushort*)(_available + SplitFormat.EntriesOffset + (_next & _mask) * SplitFormat.AvailableEntrySize)) & (uint)_mask;
        byte* entry = _descriptors + index * SplitFormat.DescriptorSize;
        ulong address = Volatile.Read(ref *(ulong*)entry);
        ulong rest = Volatile.Read(ref *(ulong*)(entry + SplitFormat.DescriptorLengthOffset));
        if ((uint)rest >= OwnedLength && (rest >> 32 & DescriptorFlags.Write) != 0 && _memory.Translate(new Iova(address), (uint)rest) is var buffer && buffer is not null)
        {
            buffer[0] = 0;
            buffer[OwnedLength - 1] = 0;
        }
    }

    /// <summary>
    /// Whether the driver wants an event for what was published. Between the two belongs a full barrier
    /// (<see cref="Interlocked.MemoryBarrier"/>), or a driver that goes to sleep just then is not woken (§2.7.7.2).
    /// </summary>
    public bool DriverWantsEvent => (Volatile.Read(ref *(ushort*)_available) & SplitFormat.AvailableNoInterrupt) == 0;

    /// <summary>
    /// Tells the driver whether to ring the doorbell (§2.7.10). After asking for it, look at <see cref="HasAvailable"/>
    /// once more before sleeping.
    /// </summary>
    public void RequestNotification(bool wanted)
    {
        Volatile.Write(ref *(ushort*)_used, wanted ? (ushort)0 : SplitFormat.UsedNoNotify);
        if (wanted)
        {
            // The flag before the look at the available index.
            Interlocked.MemoryBarrier();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryTakeHead(out ushort head)
    {
        head = 0;
        if (Fault != RingFault.None || (_availableIndex == _next && !LookForMore()))
        {
            return false;
        }

        head = Volatile.Read(ref *(ushort*)(_available + SplitFormat.EntriesOffset + (_next & _mask) * SplitFormat.AvailableEntrySize));
        return true;
    }

    private bool LookForMore()
    {
        // Acquire: the index before the entries and descriptors that it shows (§2.7.13).
        ushort index = Volatile.Read(ref *(ushort*)(_available + SplitFormat.IndexOffset));
        if ((ushort)(index - _next) > Size)
        {
            Fault = RingFault.AvailableIndexOutOfRange;
            return false;
        }

        _availableIndex = index;
        return index != _next;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryReadDescriptor(ushort index, ushort forbidden, ushort required, out Descriptor descriptor, out byte* buffer)
    {
        if (index > _mask)
        {
            descriptor = default;
            buffer = null;
            Fault = RingFault.DescriptorIndexOutOfRange;
            return false;
        }

        // Two reads of eight bytes; the table is 16-byte aligned.
        byte* entry = _descriptors + index * SplitFormat.DescriptorSize;
        ulong address = Volatile.Read(ref *(ulong*)entry);
        ulong rest = Volatile.Read(ref *(ulong*)(entry + SplitFormat.DescriptorLengthOffset));
        descriptor = new Descriptor((uint)rest, (ushort)(rest >> 32), (ushort)(rest >> 48));
        buffer = _memory.Translate(new Iova(address), descriptor.Length);
        if (buffer is not null
            && (descriptor.Flags & (forbidden | DescriptorFlags.Indirect)) == 0
            && (descriptor.Flags & required) == required)
        {
            return true;
        }

        Fault = (descriptor.Flags & DescriptorFlags.Indirect) != 0 ? RingFault.IndirectNotNegotiated
            : (descriptor.Flags & forbidden) != 0 ? RingFault.BufferNotReadable
            : (descriptor.Flags & required) != required ? RingFault.BufferNotWritable
            : RingFault.BufferOutsideMemory;
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int CopyIn(ReadOnlySpan<byte> source, int from, ref byte* buffer, ref uint room)
    {
        int bytes = (int)Math.Min((uint)(source.Length - from), room);
        fixed (byte* start = source)
        {
            Buffer.MemoryCopy(start + from, buffer, room, bytes);
        }

        buffer += bytes;
        room -= (uint)bytes;
        return bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddUsed(ushort head, uint length)
    {
        // Plain stores of 4 aligned bytes each; Publish orders them before the index. With frames of one length an entry is
        // the same each round: leaving it as it is spares the driver a cache miss.
        byte* entry = _used + SplitFormat.EntriesOffset + (_usedIndex & _mask) * SplitFormat.UsedEntrySize;
        if (Volatile.Read(ref *(uint*)entry) != head || Volatile.Read(ref *(uint*)(entry + 4)) != length)
        {
            *(uint*)entry = head;
            *(uint*)(entry + 4) = length;
        }

        _usedIndex++;
        _next++;
    }

    private readonly struct Descriptor(uint length, ushort flags, ushort next)
    {
        public readonly uint Length = length;
        public readonly ushort Flags = flags;
        public readonly ushort Next = next;
    }
}
