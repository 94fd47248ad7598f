using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Memory;

/// <summary>
/// Fixed packet buffers in queue memory. The free ones are a stack, so that the buffer used last, which the caches still
/// hold, is used next. For one thread.
/// </summary>
/// <remarks>
/// A buffer is free, in a ring, or owned. Its generation grows at each change to and from being owned and is odd while it is
/// owned: a handle that was given back, or posted, no longer matches and is refused.
/// </remarks>
internal sealed unsafe class PacketPool
{
    private const int OwnedLength = 2 * 64; // Two cache lines.

    private readonly byte* _start;
    private readonly Iova _address;
    private readonly nint _stride;
    private readonly int[] _free;
    private readonly uint[] _generations;
    private int _freeCount;
    private int _reserved; // Of the free ones.

    public PacketPool(DmaRegion region, MemoryGrant grant)
    {
        _start = region.At(grant.BufferOffset, grant.BufferLength);
        _address = region.Start + grant.BufferOffset;
        _stride = grant.BufferSize;
        Count = (int)(grant.BufferLength / _stride);
        _free = new int[Count];
        _generations = new uint[Count];
        for (int i = 0; i < Count; i++)
        {
            _free[i] = Count - 1 - i;
        }

        _freeCount = Count;
    }

    /// <summary>Buffers in all.</summary>
    public int Count { get; }

    /// <summary>Bytes of a buffer.</summary>
    public int BufferSize => (int)_stride;

    /// <summary>Buffers that nobody has.</summary>
    public int FreeCount => _freeCount - _reserved;

    /// <summary>Takes a free buffer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRent(out PacketBuffer buffer)
    {
        if (!TryRentForRing(out int index))
        {
            buffer = default;
            return false;
        }

        buffer = FromRing(index);
        return true;
    }

    /// <summary>Gives an owned buffer back.</summary>
    /// <exception cref="InvalidOperationException">The handle is stale: the buffer was given back or posted before.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Return(PacketBuffer buffer) => ReturnFromRing(ToRing(buffer));

    /// <summary>Takes a free buffer that goes straight into a ring.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRentForRing(out int index)
    {
        int count = _freeCount;
        if (count <= _reserved)
        {
            index = -1;
            return false;
        }

        _freeCount = --count;
        index = _free[count];
        return true;
    }

    /// <summary>Keeps a free buffer back, without saying which. False if there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryReserve()
    {
        if (_freeCount <= _reserved)
        {
            return false;
        }

        _reserved++;
        return true;
    }

    /// <summary>Takes a buffer that was kept back, straight into a ring.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int RentReserved()
    {
        _reserved--;
        return _free[--_freeCount];
    }

    /// <summary>Frees a buffer that comes straight from a ring.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void ReturnFromRing(int index) => _free[_freeCount++] = index;

    /// <summary>
    /// Writes a little into the buffer that is taken next: its first two lines, a small frame, are in the device's cache
    /// since it read them, and come over before somebody waits for that.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void OwnNext()
    {
        int top = _freeCount - 1;
        if (top >= 0)
        {
            byte* frame = _start + _free[top] * _stride + BufferLayout.FrameOffset;
            frame[0] = 0;
            frame[Math.Min(OwnedLength, BufferSize - BufferLayout.FrameOffset) - 1] = 0;
        }
    }

    /// <summary>Ends an ownership; the buffer now belongs to a ring.</summary>
    /// <exception cref="InvalidOperationException">The handle is stale.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ToRing(PacketBuffer buffer)
    {
        Check(buffer);
        _generations[buffer.Index]++;
        return buffer.Index;
    }

    /// <summary>The same for a frame in the buffer, which must lie inside.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It does not.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ToRing(PacketBuffer buffer, int frameOffset, int frameLength)
    {
        int room = BufferSize - BufferLayout.FrameOffset;
        if ((uint)frameOffset > (uint)room || (uint)frameLength > (uint)(room - frameOffset))
        {
            ThrowOutside(frameOffset, frameLength);
        }

        return ToRing(buffer);
    }

    /// <summary>Makes an owner of who takes a buffer out of a ring.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PacketBuffer FromRing(int index) => new(index, ++_generations[index]);

    /// <summary>Makes all other handles of an owned buffer stale.</summary>
    public PacketBuffer Renew(PacketBuffer buffer) => FromRing(ToRing(buffer));

    /// <summary>A part of an owned buffer.</summary>
    /// <exception cref="InvalidOperationException">The handle is stale.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Bytes(PacketBuffer buffer, int offset, int length)
    {
        Check(buffer);
        if ((uint)offset > (uint)BufferSize || (uint)length > (uint)(BufferSize - offset))
        {
            ThrowOutside(offset, length);
        }

        return new Span<byte>(_start + buffer.Index * _stride + offset, length);
    }

    /// <summary>Takes free buffers, and asks for the first lines of their frames, which will be written. Returns how many there were.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Rent(Span<PacketBuffer> buffers)
    {
        int count = 0;
        while (count < buffers.Length && TryRent(out buffers[count]))
        {
            count++;
        }

        PrefetchForWrite(buffers[..count]);
        return count;
    }

    /// <summary>Asks for the first lines of frames that will be written, or read and then written: all at once instead of one after the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void PrefetchForWrite(ReadOnlySpan<PacketBuffer> buffers)
    {
        nint* lines = stackalloc nint[WritePrefetch.MaxLines];
        while (!buffers.IsEmpty)
        {
            int count = Math.Min(buffers.Length, WritePrefetch.MaxLines);
            for (int i = 0; i < count; i++)
            {
                lines[i] = (nint)(_start + buffers[i].Index * _stride + BufferLayout.FrameOffset);
            }

            WritePrefetch.Ask(new ReadOnlySpan<nint>(lines, count));
            buffers = buffers[count..];
        }
    }

    /// <summary>The device's address of a buffer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Iova AddressOf(int index) => _address + index * _stride;

    /// <summary>The first eight bytes of the virtio-net header in a buffer that the device has just given back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong ReadHeader(int index) => Volatile.Read(ref *(ulong*)Header(index));

    /// <summary>num_buffers of that header.</summary>
    public ushort ReadBufferCount(int index) => Volatile.Read(ref *(ushort*)(Header(index) + VirtioNetHeader.BufferCountOffset));

    /// <summary>csum_start (low half) and csum_offset (high half) in the header of an owned buffer, each read once.</summary>
    public uint ReadChecksumPlace(PacketBuffer buffer)
    {
        Check(buffer);
        byte* place = Header(buffer.Index) + VirtioNetHeader.ChecksumStartOffset;
        return Volatile.Read(ref *(ushort*)place) | (uint)Volatile.Read(ref *(ushort*)(place + sizeof(ushort))) << 16;
    }

    /// <summary>
    /// Makes the bytes before a frame its header; they are not written where they say so already. num_buffers means nothing
    /// on this way (virtio 1.2 §5.1.6.2) and stays: the device writes it into each received frame, and a line that both sides
    /// write would go to and fro for nothing when the frame is sent on.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetHeader(int index, int offset, ulong word, ushort checksumField)
    {
        byte* header = Header(index) + offset;
        if (*(ulong*)header != word)
        {
            *(ulong*)header = word;
        }

        if (*(ushort*)(header + VirtioNetHeader.ChecksumFieldOffset) != checksumField)
        {
            *(ushort*)(header + VirtioNetHeader.ChecksumFieldOffset) = checksumField;
        }
    }

    /// <summary>Writes a virtio-net header that asks the device for something, at a place in an owned buffer's reach.</summary>
    public void WriteHeader(int index, int offset, ulong word, ushort checksumField)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)offset, (uint)(BufferSize - VirtioNetHeader.Length), nameof(offset));
        byte* header = _start + index * _stride + offset;
        *(ulong*)header = word;
        *(uint*)(header + VirtioNetHeader.ChecksumFieldOffset) = checksumField;
    }

    /// <summary>Writes an entry of an indirect table (virtio 1.2 §2.7.5.3, §2.8.7) that fills a buffer from its start on.</summary>
    public void WriteTableEntry(int index, int entry, BufferDescriptor descriptor, RingFormat format)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)entry, (uint)(BufferSize / SplitFormat.DescriptorSize), nameof(entry));
        byte* at = _start + index * _stride + entry * SplitFormat.DescriptorSize;
        *(ulong*)at = descriptor.Address.Value;
        *(uint*)(at + SplitFormat.DescriptorLengthOffset) = descriptor.Length;
        if (format == RingFormat.Split)
        {
            *(ushort*)(at + SplitFormat.DescriptorFlagsOffset) = descriptor.Flags;
            *(ushort*)(at + SplitFormat.DescriptorNextOffset) = (descriptor.Flags & DescriptorFlags.Next) != 0 ? descriptor.Id : (ushort)0;
        }
        else
        {
            // In a packed table the order is that of the entries; id and NEXT mean nothing.
            *(uint*)(at + PackedFormat.DescriptorIdOffset) = 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* Header(int index) => _start + index * _stride + BufferLayout.HeaderOffset;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Check(PacketBuffer buffer)
    {
        // Even generations belong to nobody; so does the default handle's.
        if (_generations[buffer.Index] != buffer.Generation || (buffer.Generation & 1) == 0)
        {
            ThrowStale(buffer);
        }
    }

    [DoesNotReturn]
    private static void ThrowStale(PacketBuffer buffer) =>
        throw new InvalidOperationException($"Packet buffer {buffer.Index} is no longer this owner's: it was posted or given back before.");

    [DoesNotReturn]
    private void ThrowOutside(int offset, int length) =>
        throw new ArgumentOutOfRangeException(nameof(length), $"Bytes {offset} to {(long)offset + length} are outside of a packet buffer of {BufferSize} bytes.");
}
