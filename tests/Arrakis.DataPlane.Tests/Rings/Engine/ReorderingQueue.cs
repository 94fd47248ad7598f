using Arrakis.Contract;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>
/// The device's side of a virtqueue, written from the specification for tests alone: it can hold chains, give them back in
/// any order, show the driver several at once, and name a batch by its last chain.
/// </summary>
internal abstract unsafe class ReorderingQueue
{
    private readonly byte* _memory;
    private readonly ulong _iova;

    protected ReorderingQueue(byte* memory, ulong iova, QueueGrant queue)
    {
        _memory = memory;
        _iova = iova;
        Layout = queue.Ring;
        Mask = queue.Ring.QueueSize - 1;
    }

    protected RingLayout Layout { get; }

    protected int Mask { get; }

    /// <summary>Takes the next chain, if there is one.</summary>
    public abstract bool TryTake(out DeviceChain chain);

    /// <summary>Gives a chain back, at the next <see cref="Publish"/>.</summary>
    public abstract void Use(in DeviceChain chain, uint length);

    /// <summary>Gives back chains that were taken one after the other, and names the last alone (virtio 1.2 §2.7.9, §2.8.9).</summary>
    public abstract void UseBatch(in DeviceChain last, int chains, int descriptors, uint length);

    /// <summary>Shows the driver what was given back. True where the driver wants an event for that.</summary>
    public abstract bool Publish();

    /// <summary>Whether the driver is to ring at the next chain that it makes available.</summary>
    public abstract void AskForDoorbell(bool wanted);

    protected byte* At(long offset) => _memory + offset;

    protected long Offset(ulong address) => checked((long)(address - _iova));

    protected ushort ReadShort(long offset) => Volatile.Read(ref *(ushort*)At(offset));

    protected void WriteShort(long offset, ushort value) => Volatile.Write(ref *(ushort*)At(offset), value);

    protected static DevicePart Part(long start, uint length, ushort flags) => new(start, (int)length, (flags & DescriptorFlags.Write) != 0);
}
