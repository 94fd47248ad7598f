using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Native.Events;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// A virtio-net receive queue (virtio 1.2 §5.1.6.3), one buffer a descriptor. Each descriptor always has a buffer: who
/// takes one out puts another in, so the ring never runs dry because an application holds packets.
/// </summary>
internal sealed class ReceiveRing
{
    // Descriptors are given back to the device in lots: its cached copy of the index stays valid meanwhile.
    private const int MaxRefillLot = 32;

    private readonly PacketPool _pool;
    private readonly int[] _buffers; // By descriptor.
    private readonly bool[] _withDevice; // By descriptor.
    private readonly int _refillLot;
    private SplitRing _ring;

    public ReceiveRing(DmaRegion region, PacketPool pool, QueueGrant queue, EventFd doorbell)
    {
        _pool = pool;
        _ring = new SplitRing(region, queue, doorbell);
        _buffers = new int[_ring.Size];
        _withDevice = new bool[_ring.Size];
        _refillLot = Math.Clamp(_ring.Size / 4, 1, MaxRefillLot);
        for (int id = 0; id < _ring.Size; id++)
        {
            if (!pool.TryRentForRing(out _buffers[id]))
            {
                throw new InvalidGrantException($"The pool has {pool.Count} buffers, fewer than the receive ring of {_ring.Size} descriptors.");
            }

            WriteDescriptor(id);
            GiveToDevice(id);
        }
    }

    /// <summary>Descriptors in the ring.</summary>
    public int Size => _ring.Size;

    /// <summary>Tells the device of the first buffers.</summary>
    public void Start() => _ring.Publish();

    /// <summary>Takes the frames that wait, at most as many as fit. Each batch ends with <see cref="Release"/>.</summary>
    /// <exception cref="RingCorruptException">The device wrote an impossible index, id or length.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Receive(Span<ReceivedFrame> batch)
    {
        int count = _ring.CountUsed();
        return count == 0 ? 0 : ReceiveUsed(batch, count);
    }

    /// <summary>Makes the caller the owner of a frame's buffer; the ring gets a free one instead. False if there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(ref ReceivedFrame frame)
    {
        if (!_pool.TryRentForRing(out int index))
        {
            return false;
        }

        frame.Taken = true;
        _buffers[frame.Descriptor] = index;
        WriteDescriptor(frame.Descriptor);
        return true;
    }

    /// <summary>Gives the descriptors of a batch back to the device; handles of buffers that nobody took become stale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Release(ReadOnlySpan<ReceivedFrame> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            ref readonly ReceivedFrame frame = ref batch[i];
            if (!frame.Taken)
            {
                _ = _pool.ToRing(frame.Buffer);
            }

            GiveToDevice(frame.Descriptor);
        }

        if (_ring.Unpublished >= _refillLot)
        {
            _ring.Publish();
        }
    }

    /// <summary>Asks for an event at the next frame. False where frames wait already.</summary>
    public bool TryArmEvents()
    {
        if (_ring.Unpublished > 0)
        {
            _ring.Publish();
        }

        return _ring.TryArmEvents();
    }

    /// <summary>Polls again.</summary>
    public void DisarmEvents() => _ring.DisarmEvents();

    /// <summary>Wakes the device, as after it came back.</summary>
    public void RingDoorbell() => _ring.RingDoorbell();

    // AggressiveOptimization: compiled once and fully, so that no tier change disturbs the poller later.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int ReceiveUsed(Span<ReceivedFrame> batch, int count)
    {
        count = Math.Min(count, batch.Length);
        for (int i = 0; i < count; i++)
        {
            ulong entry = _ring.TakeUsed();
            uint id = (uint)entry;
            uint length = (uint)(entry >> 32);
            if (id >= (uint)_withDevice.Length || !_withDevice[id] || length < VirtioNetHeader.Length || length > (uint)_pool.BufferSize)
            {
                ThrowEntry(id, length);
            }

            _withDevice[id] = false;
            ref ReceivedFrame frame = ref batch[i];
            frame.Buffer = _pool.FromRing(_buffers[id]);
            frame.Length = (int)length - VirtioNetHeader.Length;
            frame.Descriptor = (ushort)id;
            frame.Taken = false;
        }

        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void WriteDescriptor(int id) =>
        _ring.WriteDescriptor((uint)id, _pool.AddressOf(_buffers[id]), (uint)_pool.BufferSize, DescriptorFlags.Write);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void GiveToDevice(int id)
    {
        _withDevice[id] = true;
        _ring.MakeAvailable((uint)id);
    }

    [DoesNotReturn]
    private void ThrowEntry(uint id, uint length)
    {
        if (id >= (uint)_withDevice.Length)
        {
            _ring.ThrowCorrupt($"used id {id} in a ring of {Size} descriptors");
        }

        if (!_withDevice[id])
        {
            _ring.ThrowCorrupt($"used id {id} is not with the device");
        }

        _ring.ThrowCorrupt($"used length {length} of a buffer of {_pool.BufferSize} bytes with a header of {VirtioNetHeader.Length}");
    }
}
