using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>A transmit queue over one format of virtqueue.</summary>
internal sealed class TransmitRing<TQueue> : TransmitRing
    where TQueue : struct, IVirtqueue<TQueue>
{
    private readonly UsedBuffer[] _used;
    private TQueue _queue;

    public TransmitRing(DmaRegion region, PacketPool pool, QueueGrant queue, VirtioFeatures features, Doorbell doorbell)
        : base(pool, queue.Ring, features)
    {
        _queue = TQueue.Attach(region, queue.Ring, queue.Direction, features, doorbell);
        _used = new UsedBuffer[Size];
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Flush()
    {
        if (PostedCount != 0)
        {
            ref TQueue queue = ref _queue;
            queue.MakeAvailable(Posted.AsSpan(0, PostedCount));
            PostedCount = 0;
            queue.Publish();
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int Reclaim()
    {
        // The length of a buffer that the device only reads means nothing.
        int count = _queue.TakeUsed(_used, withLengths: false);

        // From the end on, as the pool is a stack: the buffer that comes next goes into the descriptor that it came from,
        // which then need not be written again.
        for (int i = count - 1; i >= 0; i--)
        {
            Free(_used[i].Id);
        }

        if (count != 0)
        {
            Pool.OwnNext();
        }

        return count;
    }

    /// <inheritdoc/>
    public override bool TryArmEvents() => _queue.TryArmEvents();

    /// <inheritdoc/>
    public override void DisarmEvents() => _queue.DisarmEvents();

    /// <inheritdoc/>
    public override void RingDoorbell() => _queue.RingDoorbell();
}
