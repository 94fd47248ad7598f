using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Native.Events;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// A virtio-net transmit queue (virtio 1.2 §5.1.6.2), one descriptor a frame. Free descriptors are a stack, as the pool's
/// buffers are: a lightly loaded ring uses the same lines again and again.
/// </summary>
internal sealed class TransmitRing
{
    private readonly PacketPool _pool;
    private readonly int[] _buffers; // By descriptor; -1 while it is free.
    private readonly ushort[] _free;
    private readonly ulong[] _writtenAddress; // What each descriptor says, so that an unchanged one is not written again.
    private readonly uint[] _writtenLength;
    private SplitRing _ring;
    private int _freeCount;

    public TransmitRing(DmaRegion region, PacketPool pool, QueueGrant queue, EventFd doorbell)
    {
        _pool = pool;
        _ring = new SplitRing(region, queue, doorbell);
        _buffers = new int[_ring.Size];
        _free = new ushort[_ring.Size];
        _writtenAddress = new ulong[_ring.Size];
        _writtenLength = new uint[_ring.Size];
        Array.Fill(_buffers, -1);
        for (int i = 0; i < _free.Length; i++)
        {
            _free[i] = (ushort)(_free.Length - 1 - i);
        }

        _freeCount = _free.Length;
    }

    /// <summary>Descriptors in the ring.</summary>
    public int Size => _ring.Size;

    /// <summary>Frames that can be posted at once.</summary>
    public int FreeCount => _freeCount;

    /// <summary>Whether the device has frames that it has not given back.</summary>
    public bool HasOutstanding => _freeCount != _free.Length;

    /// <summary>Posts a frame: virtio-net header and frame from <paramref name="offset"/> on. False, and the caller keeps the buffer, if the ring is full.</summary>
    /// <exception cref="InvalidOperationException">The handle is stale.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPost(PacketBuffer buffer, int offset, int frameLength)
    {
        int top = _freeCount - 1;
        if (top < 0)
        {
            return false;
        }

        // No checksum or segmentation is left to the device: twelve zeros.
        _pool.Bytes(buffer, offset, VirtioNetHeader.Length).Clear();
        int index = _pool.ToRing(buffer);
        _freeCount = top;
        uint id = _free[top];
        _buffers[id] = index;
        ulong address = (_pool.AddressOf(index) + offset).Value;
        uint length = (uint)(frameLength + VirtioNetHeader.Length);
        if (_writtenAddress[id] != address || _writtenLength[id] != length)
        {
            _writtenAddress[id] = address;
            _writtenLength[id] = length;
            _ring.WriteDescriptor(id, new Iova(address), length, 0);
        }

        _ring.MakeAvailable(id);
        return true;
    }

    /// <summary>Tells the device of what was posted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Flush()
    {
        if (_ring.Unpublished > 0)
        {
            _ring.Publish();
        }
    }

    /// <summary>Frees what the device has sent. Returns how many frames that were.</summary>
    /// <exception cref="RingCorruptException">The device wrote an impossible index or id.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Reclaim()
    {
        int count = _ring.CountUsed();
        for (int i = 0; i < count; i++)
        {
            // The length of a buffer that the device only reads means nothing.
            uint id = (uint)_ring.TakeUsed();
            if (id >= (uint)_buffers.Length || _buffers[id] < 0)
            {
                ThrowEntry(id);
            }

            _pool.ReturnFromRing(_buffers[id]);
            _buffers[id] = -1;
            _free[_freeCount++] = (ushort)id;
        }

        if (count != 0)
        {
            _pool.OwnNext();
        }

        return count;
    }

    /// <summary>Asks for an event when the device has sent something. False where there is something to reclaim already.</summary>
    public bool TryArmEvents() => _ring.TryArmEvents();

    /// <summary>Polls again.</summary>
    public void DisarmEvents() => _ring.DisarmEvents();

    /// <summary>Wakes the device, as after it came back.</summary>
    public void RingDoorbell() => _ring.RingDoorbell();

    [DoesNotReturn]
    private void ThrowEntry(uint id)
    {
        if (id >= (uint)_buffers.Length)
        {
            _ring.ThrowCorrupt($"used id {id} in a ring of {Size} descriptors");
        }

        _ring.ThrowCorrupt($"used id {id} is not with the device");
    }
}
