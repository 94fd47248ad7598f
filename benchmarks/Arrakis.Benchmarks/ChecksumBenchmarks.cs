using Arrakis.Wire.Frames;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>The Internet checksum (RFC 1071) of data in the first-level cache.</summary>
[MemoryDiagnoser]
public class ChecksumBenchmarks
{
    private byte[] _data = [];

    [Params(20, 64, 512, 1500)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _data = new byte[Length];
        new Random(1).NextBytes(_data);
    }

    [Benchmark]
    public ushort Compute() => InternetChecksum.Compute(_data);
}
