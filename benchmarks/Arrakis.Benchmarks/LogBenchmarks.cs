using Arrakis.Benchmarks.Device;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>What a durable append to a log costs beside the device: the area does nothing, at once.</summary>
[MemoryDiagnoser]
public class LogBenchmarks
{
    private const int Appends = 256;
    private const int BlockSize = 4096;
    private const long Blocks = 1L << 40; // It is never full.

    private PersistentLog _log = null!;
    private byte[] _record = null!;

    [Params(64, 1024, 4000)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Make()
    {
        _log = PersistentLog.CreateAsync(new IdleArea(BlockSize, Blocks)).AsTask().GetAwaiter().GetResult();
        _record = new byte[Length];
        new Random(1).NextBytes(_record);
    }

    [Benchmark(OperationsPerInvoke = Appends)]
    public int AppendAtDepthOne()
    {
        int done = 0;
        for (int i = 0; i < Appends; i++)
        {
            done += IsDone(_log.AppendAsync(_record)) ? 1 : 0;
        }

        return done;
    }

    private static bool IsDone(ValueTask<LogPosition> append) => append.IsCompletedSuccessfully;
}
