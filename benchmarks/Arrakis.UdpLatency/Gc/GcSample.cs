using Arrakis.Measuring.Report;
using Arrakis.UdpEchoServer;
using Arrakis.UdpLatency.Echo;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Gc;

/// <summary>One run: what was measured, and what the server told of itself before and after.</summary>
internal sealed record GcSample(GcSetup Setup, TestLoad Load, LatencyRow Row, EchoHealth Before, EchoHealth After)
{
    private const double BytesPerMegabyte = 1e6;

    public double MegabytesPerSecond => (After.Allocated - Before.Allocated) / BytesPerMegabyte / Seconds;

    public double CollectionsPerSecond => (After.Collections - Before.Collections) / Seconds;

    public double PausedMillisecondsPerSecond => (After.PausedMilliseconds - Before.PausedMilliseconds) / Seconds;

    private double Seconds => After.UpSeconds - Before.UpSeconds;

    /// <summary>A row for each setup and load, in the order of the first run.</summary>
    public static IEnumerable<GcRow> Summarize(IReadOnlyList<GcSample> samples) =>
        samples.GroupBy(static sample => (sample.Setup.Name, Load: sample.Load.ToString())).Select(static runs => RowOf(runs.Key.Name, runs.Key.Load, [.. runs]));

    private static GcRow RowOf(string setup, string load, GcSample[] runs)
    {
        double Median(Func<GcSample, double> figure) => Math.Round(Statistics.Median(runs.Select(figure)), 3);
        return new GcRow
        {
            Setup = setup,
            Api = runs[0].Row.Api,
            Load = load,
            Runs = runs.Length,
            RequestsPerSecond = Median(static run => run.Row.RequestsPerSecond),
            P50 = Median(static run => run.Row.P50),
            P99 = Median(static run => run.Row.P99),
            P999 = Median(static run => run.Row.P999),
            P9999 = Median(static run => run.Row.Tail!.P9999),
            Max = runs.Max(static run => run.Row.Tail!.Max),
            Lost = runs.Sum(static run => run.Row.Tail!.Lost),
            AllocatedMegabytesPerSecond = Median(static run => run.MegabytesPerSecond),
            CollectionsPerSecond = Median(static run => run.CollectionsPerSecond),
            PausedMillisecondsPerSecond = Median(static run => run.PausedMillisecondsPerSecond),
            Collector = runs[0].After.Collector,
        };
    }
}
