using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>A receive queue over one format of virtqueue.</summary>
internal sealed class ReceiveRing<TQueue> : ReceiveRing
    where TQueue : struct, IVirtqueue<TQueue>
{
    // Descriptors are given back to the device in lots: its cached copy of the index stays valid meanwhile.
    private const int MaxRefillLot = 32;

    // The most that is taken at once; a frame of 64 KiB needs 33 buffers of 2 KiB.
    private const int MaxBatch = 64;

    private readonly UsedBuffer[] _used = new UsedBuffer[MaxBatch];
    private readonly BufferDescriptor[] _refill = new BufferDescriptor[MaxBatch];
    private readonly QueueDirection _direction;
    private readonly int _refillLot;
    private readonly int _capacity; // Bytes of a buffer that the device may write.
    private readonly ushort _offloads; // Which bits of flags (low byte) and segment type (high byte) may be set.
    private readonly bool _mergeable;
    private readonly bool _inOrder;
    private TQueue _queue;
    private int _waiting; // Taken from the queue, and part of a frame whose other buffers had not come yet.

    public ReceiveRing(DmaRegion region, PacketPool pool, QueueGrant queue, VirtioFeatures features, Doorbell doorbell)
        : base(pool, queue.Ring.QueueSize)
    {
        _queue = TQueue.Attach(region, queue.Ring, queue.Direction, features, doorbell);
        _direction = queue.Direction;
        _mergeable = (features & VirtioFeatures.NetMergeableReceiveBuffers) != 0;
        _inOrder = (features & VirtioFeatures.InOrder) != 0;
        _offloads = ReceiveOffload.Mask(features);
        _capacity = pool.BufferSize - BufferLayout.HeaderOffset;
        _refillLot = Math.Clamp(Size / 4, 1, MaxRefillLot);
        for (int id = 0; id < Size; id++)
        {
            if (!pool.TryRentForRing(out Buffers[id]))
            {
                throw new InvalidGrantException($"The pool has {pool.Count} buffers, fewer than the receive ring of {Size} descriptors.");
            }

            _queue.MakeAvailable([Descriptor(id)]);
        }
    }

    /// <inheritdoc/>
    public override void Start() => _queue.Publish();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int Receive(Span<ReceivedFrame> batch)
    {
        if (_mergeable)
        {
            return ReceiveMergeable(batch);
        }

        int room = Math.Min(batch.Length, MaxBatch);
        UsedBuffer[] used = _used;
        int count = _queue.TakeUsed(used.AsSpan(0, room), withLengths: true);
        for (int i = 0; i < count; i++)
        {
            Take(used[i], out batch[i]);
        }

        return count;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Release(ReadOnlySpan<ReceivedFrame> batch)
    {
        // From the end on, as the pool is a stack: see TryTake.
        for (int i = batch.Length - 1; i >= 0; i--)
        {
            ref readonly ReceivedFrame frame = ref batch[i];
            if (frame.Taken)
            {
                Buffers[frame.Descriptor] = Pool.RentReserved();
            }
            else
            {
                _ = Pool.ToRing(frame.Buffer);
            }

            _refill[i] = Descriptor(frame.Descriptor);
        }

        ref TQueue queue = ref _queue;
        queue.MakeAvailable(_refill.AsSpan(0, batch.Length));
        if (queue.Unpublished >= _refillLot)
        {
            queue.Publish();
        }
    }

    /// <inheritdoc/>
    public override bool TryArmEvents()
    {
        if (_queue.Unpublished > 0)
        {
            _queue.Publish();
        }

        return _queue.TryArmEvents();
    }

    /// <inheritdoc/>
    public override void DisarmEvents() => _queue.DisarmEvents();

    /// <inheritdoc/>
    public override void RingDoorbell() => _queue.RingDoorbell();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private BufferDescriptor Descriptor(int id) =>
        new(Pool.AddressOf(Buffers[id]) + BufferLayout.HeaderOffset, (uint)_capacity, (ushort)id, DescriptorFlags.Write);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Take(UsedBuffer used, out ReceivedFrame frame)
    {
        uint length = used.Length;
        if (length - VirtioNetHeader.Length > (uint)_capacity - VirtioNetHeader.Length)
        {
            length = WholeLength(length);
        }

        int index = Buffers[used.Id];
        frame = default;
        frame.Buffer = Pool.FromRing(index);
        frame.Length = (int)length - VirtioNetHeader.Length;
        frame.Descriptor = (ushort)used.Id;

        // Flags and segment type, read once.
        frame.Offload = (ushort)(Pool.ReadHeader(index) & _offloads);
    }

    private int ReceiveMergeable(Span<ReceivedFrame> batch)
    {
        int room = Math.Min(batch.Length, MaxBatch);
        int waiting = _waiting;
        int available = waiting;
        if (waiting < room)
        {
            available += _queue.TakeUsed(_used.AsSpan(waiting, room - waiting), withLengths: true);
        }

        int count = 0;
        while (count < available)
        {
            // num_buffers (§5.1.6.4), of the first of a frame's buffers.
            int buffers = Pool.ReadBufferCount(Buffers[_used[count].Id]);
            if (buffers == 0 || buffers > MaxBatch || buffers > Size)
            {
                ThrowBuffers(buffers);
            }

            if (buffers > Math.Min(available, room) - count)
            {
                break;
            }

            Take(_used[count], out batch[count]);
            for (int i = 1; i < buffers; i++)
            {
                batch[count + i - 1].Continues = true;
                TakeFollowing(_used[count + i], out batch[count + i]);
            }

            count += buffers;
        }

        _waiting = available - count;
        _used.AsSpan(count, _waiting).CopyTo(_used);
        return count;
    }

    // The buffers of a frame after its first have no header.
    private void TakeFollowing(UsedBuffer used, out ReceivedFrame frame)
    {
        uint length = used.Length;
        if (length > (uint)_capacity)
        {
            length = WholeLength(length);
        }

        frame = default;
        frame.Buffer = Pool.FromRing(Buffers[used.Id]);
        frame.Length = (int)length;
        frame.Descriptor = (ushort)used.Id;
        frame.IsFollowing = true;
    }

    // A length that does not fit is the engine's word for a buffer filled wholly, or the device's rubbish: out of order,
    // always that.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint WholeLength(uint length) =>
        _inOrder && length == UsedBuffer.WholeBuffer
            ? (uint)_capacity
            : throw new RingCorruptException(_direction, $"used length {length} of a buffer of {_capacity} bytes with a header of {VirtioNetHeader.Length}");

    [DoesNotReturn]
    private void ThrowBuffers(int buffers) =>
        throw new RingCorruptException(_direction, $"a frame of {buffers} buffers in a ring of {Size} descriptors");
}
