using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;
using Tmds.Linux;

namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>
/// A receive and a transmit ring with their pool, and the device's side of both. Each ring and the pool lie between pages that
/// nobody can access: a byte too far ends the process.
/// </summary>
internal sealed unsafe class RingBed : IDisposable
{
    public const ulong IovaBase = 0x1_0000_0000;
    public const int BufferSize = 192;
    public const int ReceiveCapacity = BufferSize - BufferLayout.HeaderOffset;

    private const int Page = MemoryFile.BasePageSize;

    private readonly MemoryFile _file;
    private readonly List<long> _guards = [];

    public RingBed(RingFeatures features, int size, int spareBuffers)
    {
        Features = features;
        Size = size;
        int buffers = size + spareBuffers;
        RingLayout receive = RingLayout.At(features.Format, Guard(0), size);
        RingLayout transmit = RingLayout.At(features.Format, Guard(receive.End + PackedFormat.DriverNoteOffset), size);
        long start = Guard(transmit.End + PackedFormat.DriverNoteOffset);
        long length = (long)buffers * BufferSize;

        // The last buffer ends where the page after it begins.
        long end = RoundUp(start + length);
        BufferOffset = end - length;
        _guards.Add(end);
        _file = MemoryFile.Create("test rings", end + Page, PagePreference.BaseOnly);
        Memory = new MemoryGrant(_file.Length, Page, IovaBase, BufferOffset, length, BufferSize);
        var receiveQueue = new QueueGrant(QueueDirection.Receive, receive, 3);
        var transmitQueue = new QueueGrant(QueueDirection.Transmit, transmit, 4);
        Region = DmaRegion.Map(Memory, _file.Descriptor);
        foreach (long guard in _guards)
        {
            Assert.Equal(0, LibC.mprotect(Region.At(guard, Page), Page, LibC.PROT_NONE));
        }

        Pool = new PacketPool(Region, Memory);
        Receive = ReceiveRing.Create(Region, Pool, receiveQueue, features.Negotiated, new Doorbell(ReceiveKick));
        Transmit = TransmitRing.Create(Region, Pool, transmitQueue, features.Negotiated, new Doorbell(TransmitKick));
        byte* memory = Region.At(0, Region.Length);
        ToDriver = Device(memory, receiveQueue);
        FromDriver = Device(memory, transmitQueue);
        ToDriver.AskForDoorbell(false);
        FromDriver.AskForDoorbell(false);
        Receive.Start();
        Queues = [receiveQueue, transmitQueue];
    }

    public RingFeatures Features { get; }

    public int Size { get; }

    public MemoryGrant Memory { get; }

    public QueueGrant[] Queues { get; }

    public DmaRegion Region { get; }

    public PacketPool Pool { get; }

    public ReceiveRing Receive { get; }

    public TransmitRing Transmit { get; }

    public EventFd ReceiveKick { get; } = new();

    public EventFd TransmitKick { get; } = new();

    public ReorderingQueue ToDriver { get; }

    public ReorderingQueue FromDriver { get; }

    private long BufferOffset { get; }

    /// <summary>Bytes of queue memory, as the device sees them.</summary>
    public Span<byte> Bytes(long offset, int length) => new(Region.At(offset, length), length);

    /// <summary>The buffer that a part lies in, which must be one.</summary>
    public int BufferOf(DevicePart part)
    {
        long from = part.Start - BufferOffset;
        Assert.True((ulong)from < (ulong)Memory.BufferLength, "a buffer is outside of the pool");
        Assert.True(from / BufferSize == (from + Math.Max(part.Length, 1) - 1) / BufferSize, "a part is not in one buffer");
        return (int)(from / BufferSize);
    }

    public void Dispose()
    {
        Region.Dispose();
        _file.Dispose();
        ReceiveKick.Dispose();
        TransmitKick.Dispose();
    }

    private static long RoundUp(long offset) => (offset + Page - 1) / Page * Page;

    // A page from the next boundary on; returns its end.
    private long Guard(long offset)
    {
        long guard = RoundUp(offset);
        _guards.Add(guard);
        return guard + Page;
    }

    private ReorderingQueue Device(byte* memory, QueueGrant queue) =>
        Features.Format == RingFormat.Packed
            ? new ReorderingPackedQueue(memory, IovaBase, queue, Features.EventIndex)
            : new ReorderingSplitQueue(memory, IovaBase, queue, Features.EventIndex);
}
