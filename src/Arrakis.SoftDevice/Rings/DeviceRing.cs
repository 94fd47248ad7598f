using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Arrakis.SoftDevice.Memory;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Rings;

/// <summary>
/// The device side of a virtqueue (virtio 1.2 §2.6): of frames, used strictly in order, or of requests, given back in any order. The driver
/// may be hostile: each field that it can write is read into a local and checked before it is used; what fails kills this ring and nothing
/// else. One thread at a time.
/// </summary>
/// <remarks>
/// Here is what both formats share: chains of several buffers, and frames over several chains. A frame in one buffer, which
/// most are, is handled by the format itself. Frames' buffers are completed in the order in which they were made available and none is
/// held, so after a crash of the device the driver's memory says where to go on.
/// </remarks>
public abstract unsafe partial class DeviceRing
{
    /// <summary>
    /// Descriptors that a chain may have, and buffers that a frame may take. The specification allows as many as the ring has
    /// (§2.7.5.3.1 for tables); a frame of 64 KiB needs fewer, and walking 32768 empty ones for each frame would rob the
    /// neighbours of the core.
    /// </summary>
    public const int MaxChainLength = 256;

    private protected const int OwnedLength = 64; // A small frame: one cache line, or two where it does not start with one.

    private readonly bool _hasIndirect;
    private readonly bool _merges;

    // The chain, or with mergeable buffers the chains, of the frame that is copied.
    private readonly MemoryPiece[] _segments = new MemoryPiece[2 * MaxChainLength];
    private readonly Taken[] _taken = new Taken[MaxChainLength];
    private int _segmentCount;
    private int _chainStart; // the first segment of the chain that is collected
    private ulong _room;

    private protected DeviceRing(MemoryTable memory, int size, VirtioFeatures features)
    {
        Memory = memory;
        Mask = size - 1;
        _hasIndirect = (features & VirtioFeatures.RingIndirectDescriptors) != 0;
        _merges = (features & VirtioFeatures.NetMergeableReceiveBuffers) != 0;
        HasEventIndex = (features & VirtioFeatures.RingEventIndex) != 0;
    }

    /// <summary>Why the ring is dead, if it is.</summary>
    public RingFault Fault { get; private protected set; }

    /// <summary>Descriptors in the ring.</summary>
    public int Size => Mask + 1;

    /// <summary>Where the next buffer is taken, as GET_VRING_BASE answers it.</summary>
    public abstract ushort NextAvailable { get; }

    /// <summary>Whether the driver has made something available that was not taken yet.</summary>
    public abstract bool HasAvailable { get; }

    /// <summary>
    /// Whether the driver wants an event for what the last <see cref="Publish"/> has shown. Between the two belongs a full
    /// barrier (<see cref="Interlocked.MemoryBarrier"/>), or a driver that goes to sleep just then is not woken (§2.7.7.2, §2.8.10).
    /// </summary>
    public abstract bool DriverWantsEvent { get; }

    private protected MemoryTable Memory { get; }

    private protected int Mask { get; }

    private protected bool HasEventIndex { get; }

    /// <summary>Finds a ring of either format in a front end's memory.</summary>
    /// <param name="memory">The memory; it must outlive the ring.</param>
    /// <param name="size">Descriptors: a power of two, 2 to 32768.</param>
    /// <param name="descriptors">Descriptor table, or packed ring.</param>
    /// <param name="driver">Available ring, or driver's event suppression.</param>
    /// <param name="device">Used ring, or device's event suppression.</param>
    /// <param name="next">Where to go on, as SET_VRING_BASE says it.</param>
    /// <param name="features">What was negotiated, the format included.</param>
    /// <param name="ring">The ring, where there is no fault.</param>
    public static RingFault TryAttach(
        MemoryTable memory,
        int size,
        FrontEndAddress descriptors,
        FrontEndAddress driver,
        FrontEndAddress device,
        ushort next,
        VirtioFeatures features,
        out DeviceRing? ring)
    {
        RingFault fault;
        if ((features & VirtioFeatures.RingPacked) != 0)
        {
            fault = PackedDeviceRing.TryAttach(memory, size, descriptors, driver, device, next, features, out PackedDeviceRing? packed);
            ring = packed;
        }
        else
        {
            fault = SplitDeviceRing.TryAttach(memory, size, descriptors, driver, device, next, features, out SplitDeviceRing? split);
            ring = split;
        }

        return fault;
    }

    /// <summary>
    /// Copies the bytes of the next chain out of the driver's memory. The chain stays the next one until
    /// <see cref="Complete"/>.
    /// </summary>
    /// <param name="header">Takes the bytes at the start: the virtio-net header.</param>
    /// <param name="frame">Takes the rest.</param>
    /// <param name="length">Bytes of the rest.</param>
    public abstract RingRead TryRead(Span<byte> header, Span<byte> frame, out int length);

    /// <summary>The same, without the bytes at the start.</summary>
    /// <param name="skip">Bytes at the start that are passed over.</param>
    /// <param name="frame">Takes the rest.</param>
    /// <param name="length">Bytes of the rest.</param>
    public RingRead TryRead(int skip, Span<byte> frame, out int length) => TryRead(stackalloc byte[skip], frame, out length);

    /// <summary>Gives the chain that was read last back to the driver, at the next <see cref="Publish"/>.</summary>
    public abstract void Complete();

    /// <summary>
    /// Copies a frame into the driver's next chain, or with mergeable buffers into as many as it needs (§5.1.6.3.2), shown to
    /// the driver at the next <see cref="Publish"/>. All of it or nothing: where there is not enough room, no chain is taken.
    /// </summary>
    /// <param name="header">The virtio-net header, with one buffer in its count.</param>
    /// <param name="frame">The frame.</param>
    public abstract RingWrite TryWrite(ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame);

    /// <summary>Shows the driver what was completed. Whether there was anything to show.</summary>
    public abstract bool Publish();

    /// <summary>
    /// Writes a little into the buffer that the next frame will be written to, to be called when there is time: its first
    /// lines are in the driver's cache since it read them, and come over before a frame waits for that.
    /// </summary>
    public abstract void OwnNext();

    /// <summary>
    /// Tells the driver whether to ring the doorbell (§2.7.10, §2.8.10). After asking for it, look at
    /// <see cref="HasAvailable"/> once more before sleeping.
    /// </summary>
    public abstract void RequestNotification(bool wanted);

    // Collects the chain that is so many chains, and so many descriptors, after the next one. False where the driver has made
    // none available, or it is faulty.
    private protected abstract bool TryCollect(int chains, int descriptors, ushort forbidden, ushort required, out Taken taken);

    private protected abstract void AddUsed(Taken taken, uint length);

    /// <summary>Reads a chain of any number of buffers.</summary>
    private protected RingRead ReadChain(Span<byte> header, Span<byte> frame, out int length, out Taken taken)
    {
        length = 0;
        _segmentCount = _chainStart = 0;
        _room = 0;
        if (!TryCollect(0, 0, DescriptorFlags.Write, 0, out taken))
        {
            return Fault == RingFault.None ? RingRead.Empty : RingRead.Broken;
        }

        if (_room < (uint)header.Length || _room > (uint)(header.Length + frame.Length))
        {
            return _room < (uint)header.Length ? RingRead.TooShort : RingRead.TooLong;
        }

        int done = 0;
        foreach (MemoryPiece segment in _segments.AsSpan(0, _segmentCount))
        {
            byte* from = segment.Start;
            int left = (int)segment.Length;
            if (done < header.Length)
            {
                int part = Math.Min(left, header.Length - done);
                new ReadOnlySpan<byte>(from, part).CopyTo(header[done..]);
                from += part;
                left -= part;
                done += part;
            }

            new ReadOnlySpan<byte>(from, left).CopyTo(frame[length..]);
            length += left;
        }

        return RingRead.Frame;
    }

    /// <summary>Writes a frame into a chain of any number of buffers, or into any number of chains.</summary>
    private protected RingWrite WriteChains(ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame)
    {
        ulong total = (uint)(header.Length + frame.Length);
        int chains = 0;
        int descriptors = 0;
        _segmentCount = 0;
        _room = 0;
        do
        {
            if (chains != 0 && (!_merges || chains == MaxChainLength || _segmentCount > MaxChainLength))
            {
                return RingWrite.TooSmall;
            }

            ulong before = _room;
            _chainStart = _segmentCount;
            if (!TryCollect(chains, descriptors, 0, DescriptorFlags.Write, out Taken taken))
            {
                return Fault == RingFault.None ? RingWrite.Full : RingWrite.Broken;
            }

            descriptors += taken.Descriptors;
            _taken[chains++] = taken with { Room = (uint)Math.Min(_room - before, uint.MaxValue) };
        }
        while (_room < total);
        Scatter(header, frame, chains);
        uint left = (uint)total;
        foreach (Taken taken in _taken.AsSpan(0, chains))
        {
            uint part = Math.Min(taken.Room, left);
            left -= part;
            AddUsed(taken, part);
        }

        return RingWrite.Done;
    }

    /// <summary>Takes the buffer of a descriptor into the chain that is collected.</summary>
    private protected bool TryAddSegment(ulong address, uint length, ushort flags, ushort forbidden, ushort required)
    {
        if (_segmentCount - _chainStart == MaxChainLength)
        {
            Fault = RingFault.ChainTooLong;
            return false;
        }

        byte* buffer = Memory.Translate(new Iova(address), length);
        if ((flags & forbidden) != 0 || (flags & required) != required || buffer is null)
        {
            Fault = (flags & forbidden) != 0 ? RingFault.BufferNotReadable
                : (flags & required) != required ? RingFault.BufferNotWritable
                : RingFault.BufferOutsideMemory;
            return false;
        }

        _segments[_segmentCount++] = new MemoryPiece(buffer, length, (flags & DescriptorFlags.Write) != 0);
        _room += length;
        return true;
    }

    /// <summary>Finds an indirect table (§2.7.5.3, §2.8.7); null, with the fault set, where it is not one.</summary>
    private protected byte* FindTable(ulong address, uint length, bool isAlone, out int count)
    {
        count = (int)(length / SplitFormat.DescriptorSize);
        byte* table = Memory.Translate(new Iova(address), length);
        Fault = !_hasIndirect ? RingFault.IndirectNotNegotiated
            : !isAlone || count == 0 || length % SplitFormat.DescriptorSize != 0 ? RingFault.IndirectTableInvalid
            : table is null ? RingFault.BufferOutsideMemory
            : RingFault.None;
        return Fault == RingFault.None ? table : null;
    }

    /// <summary>Copies out of the only buffer of a chain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected static RingRead CopyOut(byte* buffer, uint bytes, Span<byte> header, Span<byte> frame, out int length)
    {
        length = 0;
        if (bytes < (uint)header.Length)
        {
            return RingRead.TooShort;
        }

        bytes -= (uint)header.Length;
        if (bytes > (uint)frame.Length)
        {
            return RingRead.TooLong;
        }

        if (header.Length == VirtioNetHeader.Length)
        {
            ref byte start = ref MemoryMarshal.GetReference(header);
            Unsafe.WriteUnaligned(ref start, Unsafe.ReadUnaligned<ulong>(buffer));
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref start, sizeof(ulong)), Unsafe.ReadUnaligned<uint>(buffer + sizeof(ulong)));
        }
        else
        {
            new ReadOnlySpan<byte>(buffer, header.Length).CopyTo(header);
        }

        new ReadOnlySpan<byte>(buffer + header.Length, (int)bytes).CopyTo(frame);
        length = (int)bytes;
        return RingRead.Frame;
    }

    /// <summary>Copies into the only buffer of a chain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected static void CopyIn(byte* buffer, ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame)
    {
        if (header.Length == VirtioNetHeader.Length)
        {
            ref byte start = ref MemoryMarshal.GetReference(header);
            Unsafe.WriteUnaligned(buffer, Unsafe.ReadUnaligned<ulong>(ref start));
            Unsafe.WriteUnaligned(buffer + sizeof(ulong), Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref start, sizeof(ulong))));
        }
        else
        {
            header.CopyTo(new Span<byte>(buffer, header.Length));
        }

        frame.CopyTo(new Span<byte>(buffer + header.Length, frame.Length));
    }

    /// <summary>Writes where a small frame after a header will be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected void Own(ulong address, uint length)
    {
        if (length >= VirtioNetHeader.Length + OwnedLength && Memory.Translate(new Iova(address), length) is var buffer && buffer is not null)
        {
            buffer[VirtioNetHeader.Length] = 0;
            buffer[VirtioNetHeader.Length + OwnedLength - 1] = 0;
        }
    }

    private void Scatter(ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame, int chains)
    {
        Span<byte> counted = stackalloc byte[header.Length];
        header.CopyTo(counted);
        if (chains > 1 && header.Length == VirtioNetHeader.Length)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(counted[VirtioNetHeader.BufferCountOffset..], (ushort)chains);
        }

        int done = 0;
        foreach (MemoryPiece segment in _segments.AsSpan(0, _segmentCount))
        {
            byte* to = segment.Start;
            int room = (int)Math.Min(segment.Length, int.MaxValue);
            if (done < counted.Length)
            {
                int part = Math.Min(room, counted.Length - done);
                counted.Slice(done, part).CopyTo(new Span<byte>(to, part));
                to += part;
                room -= part;
                done += part;
            }

            if (room > 0)
            {
                ReadOnlySpan<byte> rest = frame[(done - counted.Length)..];
                rest = rest[..Math.Min(room, rest.Length)];
                rest.CopyTo(new Span<byte>(to, rest.Length));
                done += rest.Length;
            }
        }
    }

    /// <summary>A chain that was taken.</summary>
    /// <param name="Id">The index of its head, or its buffer id.</param>
    /// <param name="Descriptors">Descriptors that it has in the ring.</param>
    /// <param name="Room">Its bytes.</param>
    private protected readonly record struct Taken(ushort Id, ushort Descriptors, uint Room);
}
