using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Benchmarks.Device;

/// <summary>Both rings of a queue pair with their pool, and a device for them, in memory of this process.</summary>
internal sealed class QueuePair : IDisposable
{
    /// <summary>Bytes of a received frame that fills its buffer with the header.</summary>
    public const int ReceiveCapacity = BufferSize - BufferLayout.HeaderOffset;

    private const int BufferSize = 2048 + 64; // As the daemon grants it.
    private const int Size = 256;
    private const int Buffers = 1024;
    private const ulong IovaBase = 0x1_0000_0000;

    private readonly MemoryFile _file;
    private readonly MemoryMapping _device;
    private readonly DmaRegion _region;
    private readonly EventFd _doorbell = new();
    private readonly DeviceRegisters _registers = new();
    private readonly MemoryFile _registerFile = MemoryFile.Create("benchmark registers", MemoryFile.BasePageSize, PagePreference.BaseOnly);

    /// <param name="format">Of both rings.</param>
    /// <param name="more">Features beside those that there always are.</param>
    public QueuePair(RingFormat format, VirtioFeatures more = VirtioFeatures.None)
    {
        VirtioFeatures features = more | VirtioFeatures.Version1 | (format == RingFormat.Igb ? 0 : VirtioFeatures.InOrder) | (format == RingFormat.Packed ? VirtioFeatures.RingPacked : 0);
        RingLayout receive = RingLayout.At(format, 0, Size);
        RingLayout transmit = RingLayout.At(format, receive.End + RingLayout.PartAlignment, Size);
        long offset = (transmit.End + 2 * 4095) / 4096 * 4096;
        _file = MemoryFile.Create("benchmark", offset + Buffers * BufferSize, PagePreference.BaseOnly);
        var memory = new MemoryGrant(_file.Length, _file.PageSize, IovaBase, offset, Buffers * BufferSize, BufferSize);
        _device = MemoryMapping.Map(_file.Descriptor, 0, _file.Length, MappingAccess.ReadWrite);
        _region = DmaRegion.Map(memory, _file.Descriptor);
        Pool = new PacketPool(_region, memory);
        Receive = ReceiveRing.Create(_region, Pool, new QueueGrant(QueueDirection.Receive, receive, 3), features, Doorbell(format, 0));
        Transmit = TransmitRing.Create(_region, Pool, new QueueGrant(QueueDirection.Transmit, transmit, 4), features, Doorbell(format, sizeof(uint)));
        ToDriver = new InOrderDevice(_device, receive, isWriter: true);
        FromDriver = new InOrderDevice(_device, transmit, isWriter: false);
        ToDriver.Start();
        FromDriver.Start();
        Receive.Start();
    }

    public PacketPool Pool { get; }

    public ReceiveRing Receive { get; }

    public TransmitRing Transmit { get; }

    public InOrderDevice ToDriver { get; }

    public InOrderDevice FromDriver { get; }

    public void Dispose()
    {
        _registers.Dispose();
        _registerFile.Dispose();
        _region.Dispose();
        _device.Dispose();
        _file.Dispose();
        _doorbell.Dispose();
    }

    // A page of memory: what a store to a real device costs beside that is the machine's.
    private Doorbell Doorbell(RingFormat format, long tail) =>
        format == RingFormat.Igb ? new(_registers.Map(new DoorbellRegister(tail, sizeof(uint)), 3, _registerFile.Descriptor), null) : new(_doorbell);
}
