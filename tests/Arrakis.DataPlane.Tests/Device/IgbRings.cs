using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>The driver's rings and pool of an 82576 function, without the stack above, and the device behind them.</summary>
internal sealed unsafe class IgbRings : IDisposable
{
    public const ulong IovaBase = 0x1_0000_0000;
    public const int BufferSize = 2112;

    private readonly MemoryFile _file;
    private readonly RegisterPage _registers = new();
    private readonly DeviceRegisters _mapped = new();
    private readonly DmaRegion _region;

    public IgbRings(int queueSize = 8, int buffers = 32, VirtioFeatures features = VirtioFeatures.None)
    {
        RingLayout receive = RingLayout.At(RingFormat.Igb, 0, queueSize);
        RingLayout transmit = RingLayout.At(RingFormat.Igb, receive.End, queueSize);
        long length = (long)buffers * BufferSize;
        long end = (transmit.End + length + MemoryFile.BasePageSize - 1) / MemoryFile.BasePageSize * MemoryFile.BasePageSize;
        _file = MemoryFile.Create("test igb", end, PagePreference.BaseOnly);
        var grant = new MemoryGrant(end, MemoryFile.BasePageSize, IovaBase, end - length, length, BufferSize); // Nothing after the last buffer.
        _region = DmaRegion.Map(grant, _file.Descriptor);
        Pool = new PacketPool(_region, grant);
        QueueGrant[] queues = IgbDevice.Queues(receive, transmit);
        try
        {
            Receive = ReceiveRing.Create(_region, Pool, queues[0], features, Doorbell(queues[0]), Counters);
            Transmit = TransmitRing.Create(_region, Pool, queues[1], features, Doorbell(queues[1]));
        }
        catch
        {
            Dispose(); // Other tests count what is mapped.
            throw;
        }

        Device = new IgbDevice(_region.At(0, end), grant, receive, transmit, _registers) { RaiseEvent = () => Events++ };
        Receive.Start();
    }

    public IgbDevice Device { get; }

    public NetCounters Counters { get; } = new();

    public PacketPool Pool { get; }

    public ReceiveRing Receive { get; }

    public TransmitRing Transmit { get; }

    /// <summary>Events that the device has raised.</summary>
    public int Events { get; private set; }

    public uint ReceiveTail => _registers[IgbDevice.ReceiveTail];

    public uint TransmitTail
    {
        get => _registers[IgbDevice.TransmitTail];
        set => _registers[IgbDevice.TransmitTail] = value;
    }

    /// <summary>A frame's bytes.</summary>
    public byte[] Bytes(in ReceivedFrame frame) => Pool.Bytes(frame.Buffer, BufferLayout.FrameOffset, frame.Length).ToArray();

    /// <summary>A rented buffer with a frame in it.</summary>
    public PacketBuffer Rent(ReadOnlySpan<byte> frame, int offset = 0)
    {
        Assert.True(Pool.TryRent(out PacketBuffer buffer));
        frame.CopyTo(Pool.Bytes(buffer, BufferLayout.FrameOffset + offset, frame.Length));
        return buffer;
    }

    /// <summary>Posts a frame. False if there is no room.</summary>
    public bool TryPost(ReadOnlySpan<byte> frame, TransmitOffload? offload = null)
    {
        if (Pool.FreeCount == 0)
        {
            return false;
        }

        PacketBuffer buffer = Rent(frame);
        if (offload is { } asked ? Transmit.TryPost(buffer, 0, frame.Length, asked) : Transmit.TryPost(buffer, 0, frame.Length))
        {
            return true;
        }

        Pool.Return(buffer);
        return false;
    }

    public void Dispose()
    {
        _mapped.Dispose();
        _registers.Dispose();
        _region.Dispose();
        _file.Dispose();
    }

    private Doorbell Doorbell(QueueGrant queue) => new(
        _mapped.Map(queue.Doorbell!, queue.KickDescriptor, _registers.File.Descriptor),
        _mapped.Map(queue.EventArm!, queue.KickDescriptor, _registers.File.Descriptor));
}
