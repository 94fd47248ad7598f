using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// A receive queue: virtio-net's (virtio 1.2 §5.1.6.3) or another device's. Each descriptor always has a buffer: who takes one out puts another in,
/// so the ring never runs dry because an application holds packets. What is virtual here is called once a batch.
/// </summary>
internal abstract class ReceiveRing
{
    private protected ReceiveRing(PacketPool pool, int size)
    {
        Pool = pool;
        Buffers = new int[size];
    }

    /// <summary>Descriptors in the ring.</summary>
    public int Size => Buffers.Length;

    private protected PacketPool Pool { get; }

    /// <summary>The buffer of each descriptor.</summary>
    private protected int[] Buffers { get; }

    /// <summary>Makes the ring of a grant, full of buffers; the device is not told before <see cref="Start"/>.</summary>
    /// <param name="region">Queue memory.</param>
    /// <param name="pool">Where buffers come from.</param>
    /// <param name="queue">The ring.</param>
    /// <param name="features">What the binding has.</param>
    /// <param name="doorbell">What tells the device.</param>
    /// <param name="counters">Where frames are counted that the ring itself drops.</param>
    /// <exception cref="InvalidGrantException">The pool has too few buffers.</exception>
    public static ReceiveRing Create(DmaRegion region, PacketPool pool, QueueGrant queue, VirtioFeatures features, Doorbell doorbell, NetCounters? counters = null) =>
        queue.Ring.Format switch
        {
            RingFormat.Packed => new ReceiveRing<PackedVirtqueue>(region, pool, queue, features, doorbell),
            RingFormat.Igb => new IgbReceiveRing(region, pool, queue, features, doorbell, counters),
            _ => new ReceiveRing<SplitVirtqueue>(region, pool, queue, features, doorbell),
        };

    /// <summary>Tells the device of the first buffers.</summary>
    public abstract void Start();

    /// <summary>
    /// Takes the frames that wait, at most as many as fit. A frame in several buffers is several elements, all in one batch.
    /// Each batch ends with <see cref="Release"/>.
    /// </summary>
    /// <exception cref="RingCorruptException">The device wrote an impossible index, id, length or number of buffers.</exception>
    public abstract int Receive(Span<ReceivedFrame> batch);

    /// <summary>Makes the caller the owner of a frame's buffer; the ring gets a free one instead. False if there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(ref ReceivedFrame frame)
    {
        // The other one is taken when the batch ends: what was given back meanwhile goes into the descriptor that it came from,
        // which then need not be written again.
        if (!Pool.TryReserve())
        {
            return false;
        }

        frame.Taken = true;
        return true;
    }

    /// <summary>Gives the descriptors of a batch back to the device; handles of buffers that nobody took become stale.</summary>
    public abstract void Release(ReadOnlySpan<ReceivedFrame> batch);

    /// <summary>Asks for an event at the next frame. False where frames wait already.</summary>
    public abstract bool TryArmEvents();

    /// <summary>Polls again.</summary>
    public abstract void DisarmEvents();

    /// <summary>Wakes the device, as after it came back.</summary>
    public abstract void RingDoorbell();
}
