using Arrakis.Benchmarks.Device;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Rings;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>Push and pop of one packet: buffer, descriptors, index, and the buffer's way back. The device does next to nothing.</summary>
[MemoryDiagnoser]
public class RingBenchmarks
{
    private const int Packets = 1024;
    private const int FrameLength = 60;

    private readonly ReceivedFrame[] _batch = new ReceivedFrame[64];
    private QueuePair _rings = null!;

    [Params(RingFormat.Split, RingFormat.Packed, RingFormat.Igb)]
    public RingFormat Format { get; set; }

    [Params(1, 32)]
    public int Batch { get; set; }

    [GlobalSetup]
    public void Open() => _rings = new QueuePair(Format);

    [GlobalCleanup]
    public void Close() => _rings.Dispose();

    [Benchmark(OperationsPerInvoke = Packets)]
    public int Transmit()
    {
        int sent = 0;
        while (sent < Packets)
        {
            for (int i = 0; i < Batch; i++)
            {
                if (!_rings.Pool.TryRent(out PacketBuffer buffer) || !_rings.Transmit.TryPost(buffer, 0, FrameLength))
                {
                    throw new InvalidOperationException("The ring is full.");
                }
            }

            _rings.Transmit.Flush();
            _rings.FromDriver.Complete(Batch, 0);
            sent += _rings.Transmit.Reclaim();
        }

        return sent;
    }

    [Benchmark(OperationsPerInvoke = Packets)]
    public int Receive()
    {
        int received = 0;
        while (received < Packets)
        {
            _rings.ToDriver.Complete(Batch, QueuePair.ReceiveCapacity);
            int count = _rings.Receive.Receive(_batch);
            _rings.Receive.Release(_batch.AsSpan(0, count));
            received += count;
        }

        return received;
    }
}
