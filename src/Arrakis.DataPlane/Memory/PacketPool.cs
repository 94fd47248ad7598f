using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.Contract;

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
    private readonly int _shift;
    private readonly int[] _free;
    private readonly uint[] _generations;
    private int _freeCount;

    public PacketPool(DmaRegion region, MemoryGrant grant)
    {
        _start = region.At(grant.BufferOffset, grant.BufferLength);
        _address = region.Start + grant.BufferOffset;
        _shift = System.Numerics.BitOperations.Log2((uint)grant.BufferSize);
        Count = (int)(grant.BufferLength >> _shift);
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
    public int BufferSize => 1 << _shift;

    /// <summary>Buffers that nobody has.</summary>
    public int FreeCount => _freeCount;

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
        int top = _freeCount - 1;
        if (top < 0)
        {
            index = -1;
            return false;
        }

        _freeCount = top;
        index = _free[top];
        return true;
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
            byte* buffer = _start + ((nint)_free[top] << _shift);
            buffer[0] = 0;
            buffer[Math.Min(OwnedLength, BufferSize) - 1] = 0;
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

        return new Span<byte>(_start + ((nint)buffer.Index << _shift) + offset, length);
    }

    /// <summary>The device's address of a buffer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Iova AddressOf(int index) => _address + ((long)index << _shift);

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
