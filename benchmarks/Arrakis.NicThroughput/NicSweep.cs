using Arrakis.NicThroughput.FrontEnds;
using Arrakis.NicThroughput.Report;
using Arrakis.Wire.Rings;

namespace Arrakis.NicThroughput;

/// <summary>How rates grow with the length of a batch, and of a frame: one plan after the other, with a back end of its own.</summary>
internal static class NicSweep
{
    private static readonly int[] s_batches = [1, 2, 4, 8, 16, 32];

    // Up to what an Ethernet of 1500 bytes carries, without check sequence.
    private static readonly int[] s_frames = [64, 128, 256, 512, 1024, 1514];

    public static async Task<IReadOnlyList<SweepRow>> RunAsync(BenchmarkPlan plan, Action<string> report, CancellationToken cancellation)
    {
        plan = plan with { Rings = [RingFormat.Split], Modes = [Mode.Receive, Mode.Transmit] };
        List<SweepRow> rows = [];
        foreach ((string name, int value, BenchmarkPlan one) in s_batches.Select(length => ("batch", length, plan with { BatchLength = length }))
            .Concat(s_frames.Select(length => ("frame", length, plan with { FrameLength = length }))))
        {
            rows.AddRange((await new NicBenchmark(one).RunAsync(line => report($"{name} {value}, {line}"), cancellation)).Select(row => SweepRow.Of(name, value, row)));
        }

        return rows;
    }
}
