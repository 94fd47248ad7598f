using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// The driver's side of a virtqueue (virtio 1.2 §2.6). A format is a struct and a ring's type argument, so that no call here
/// is virtual; each works on a batch. For one thread.
/// </summary>
/// <typeparam name="TSelf">The format.</typeparam>
internal interface IVirtqueue<TSelf>
    where TSelf : struct, IVirtqueue<TSelf>
{
    /// <summary>Finds the ring in queue memory; no events are asked for.</summary>
    /// <param name="region">Queue memory.</param>
    /// <param name="ring">Where in it.</param>
    /// <param name="direction">Which ring of a NIC it is, for errors; null where it is a block queue.</param>
    /// <param name="features">What was negotiated.</param>
    /// <param name="doorbell">Tells the device of what was made available.</param>
    static abstract TSelf Attach(DmaRegion region, RingLayout ring, QueueDirection? direction, VirtioFeatures features, Doorbell doorbell);

    /// <summary>Descriptors in the ring.</summary>
    int Size { get; }

    /// <summary>Descriptors, or chains, made available that the device has not been told of.</summary>
    int Unpublished { get; }

    /// <summary>Puts buffers into the ring. The device sees none before <see cref="Publish"/>. A chain is never cut in two calls.</summary>
    void MakeAvailable(ReadOnlySpan<BufferDescriptor> buffers);

    /// <summary>Tells the device of all available buffers, and rings the doorbell where it wants that: the one place with a barrier.</summary>
    void Publish();

    /// <summary>Takes what the device has used, at most as much as fits. Ids are checked, lengths are not.</summary>
    /// <param name="used">Where to.</param>
    /// <param name="withLengths">Whether lengths matter: in order, a ring that the device only reads need not be looked at without.</param>
    /// <exception cref="RingCorruptException">The device wrote an impossible index or id.</exception>
    int TakeUsed(Span<UsedBuffer> used, bool withLengths);

    /// <summary>Asks the device for an event at the next used buffer. False, and no event asked, where one waits already.</summary>
    bool TryArmEvents();

    /// <summary>The driver polls: no events. A hint only, so nothing has to be ordered.</summary>
    void DisarmEvents();

    /// <summary>Wakes the device whatever it asked for.</summary>
    void RingDoorbell();
}
