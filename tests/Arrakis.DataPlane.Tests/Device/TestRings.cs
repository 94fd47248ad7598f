using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>The driver's rings and pool over a test device's memory, without the stack above.</summary>
internal sealed class TestRings : IDisposable
{
    private readonly DmaRegion _region;

    public TestRings(int queueSize = 8, int buffers = 32)
    {
        Device = new TestDevice(queueSize, buffers);
        _region = DmaRegion.Map(Device.Grant.Memory, Device.Memory.Descriptor);
        try
        {
            Pool = new PacketPool(_region, Device.Grant.Memory);
            Receive = ReceiveRing.Create(_region, Pool, Device.Grant.Queues[0], Device.Grant.Features, new Doorbell(Device.ReceiveKick));
            Transmit = TransmitRing.Create(_region, Pool, Device.Grant.Queues[1], Device.Grant.Features, new Doorbell(Device.TransmitKick));
            Receive.Start();
        }
        catch
        {
            Dispose(); // Other tests count what is mapped.
            throw;
        }
    }

    public TestDevice Device { get; }

    public PacketPool Pool { get; }

    public ReceiveRing Receive { get; }

    public TransmitRing Transmit { get; }

    /// <summary>A frame's bytes.</summary>
    public byte[] Bytes(in ReceivedFrame frame) => Pool.Bytes(frame.Buffer, BufferLayout.FrameOffset, frame.Length).ToArray();

    /// <summary>Posts a frame with a header of rubbish before it, which the ring is to overwrite.</summary>
    public bool TryPost(ReadOnlySpan<byte> frame)
    {
        if (!Pool.TryRent(out PacketBuffer buffer))
        {
            return false;
        }

        Span<byte> bytes = Pool.Bytes(buffer, 0, BufferLayout.FrameOffset + frame.Length);
        bytes.Fill(0xAA);
        frame.CopyTo(bytes[BufferLayout.FrameOffset..]);
        if (Transmit.TryPost(buffer, 0, frame.Length))
        {
            return true;
        }

        Pool.Return(buffer);
        return false;
    }

    public void Dispose()
    {
        _region.Dispose();
        Device.Dispose();
    }
}
