using Arrakis.Benchmarks.Device;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Rings;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>A packet buffer rented and given back.</summary>
[MemoryDiagnoser]
public class PoolBenchmarks
{
    private const int Buffers = 1024;

    private readonly PacketBuffer[] _rented = new PacketBuffer[32];
    private QueuePair _rings = null!;

    [Params(1, 32)]
    public int Batch { get; set; }

    [GlobalSetup]
    public void Open() => _rings = new QueuePair(RingFormat.Split);

    [GlobalCleanup]
    public void Close() => _rings.Dispose();

    [Benchmark(OperationsPerInvoke = Buffers)]
    public int RentAndReturn()
    {
        PacketPool pool = _rings.Pool;
        int done = 0;
        while (done < Buffers)
        {
            for (int i = 0; i < Batch; i++)
            {
                if (pool.TryRent(out _rented[i]))
                {
                    done++;
                }
            }

            for (int i = Batch - 1; i >= 0; i--)
            {
                pool.Return(_rented[i]);
            }
        }

        return done;
    }
}
