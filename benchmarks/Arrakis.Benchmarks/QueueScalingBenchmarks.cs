using Arrakis.Benchmarks.Device;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Rings;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>
/// Packets forwarded from each queue's receive ring to its transmit ring, one queue after the other on one core. Queues share
/// nothing, so what a packet costs with more of them is what their memory costs the caches; with a core each it costs no more.
/// </summary>
[MemoryDiagnoser]
public class QueueScalingBenchmarks
{
    private const int Packets = 8192;
    private const int Batch = 32;
    private const int FrameLength = 60;

    private readonly ReceivedFrame[] _batch = new ReceivedFrame[Batch];
    private QueuePair[] _queues = [];

    [Params(RingFormat.Split, RingFormat.Packed)]
    public RingFormat Format { get; set; }

    [Params(1, 2, 4, 8)]
    public int Queues { get; set; }

    [GlobalSetup]
    public void Open() => _queues = [.. Enumerable.Range(0, Queues).Select(_ => new QueuePair(Format))];

    [GlobalCleanup]
    public void Close() => Array.ForEach(_queues, static queue => queue.Dispose());

    [Benchmark(OperationsPerInvoke = Packets)]
    public int Forward()
    {
        int forwarded = 0;
        while (forwarded < Packets)
        {
            foreach (QueuePair queue in _queues)
            {
                forwarded += Forward(queue);
            }
        }

        return forwarded;
    }

    private int Forward(QueuePair queue)
    {
        queue.ToDriver.Complete(Batch, QueuePair.ReceiveCapacity);
        int count = queue.Receive.Receive(_batch);
        for (int i = 0; i < count; i++)
        {
            PacketBuffer buffer = _batch[i].Buffer;
            if (!queue.Receive.TryTake(ref _batch[i]) || !queue.Transmit.TryPost(buffer, 0, FrameLength))
            {
                throw new InvalidOperationException("A ring or the pool is full.");
            }
        }

        queue.Receive.Release(_batch.AsSpan(0, count));
        queue.Transmit.Flush();
        queue.FromDriver.Complete(count, 0);
        return queue.Transmit.Reclaim();
    }
}
