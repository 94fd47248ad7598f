using Arrakis.Measuring.Report;

namespace Arrakis.UdpLatency.Report;

/// <summary>Sums up the pairs of a benchmark: each pair is one run of every row, kernel and arrakis in turn.</summary>
internal static class PairSummary
{
    /// <summary>One row for each kind of row, in the order of the first pair.</summary>
    /// <param name="pairs">Rows of each pair; the same kinds in each.</param>
    /// <exception cref="InvalidDataException">A pair lacks a row that another has.</exception>
    public static IReadOnlyList<BenchmarkRow> Summarize(IReadOnlyList<IReadOnlyList<LatencyRow>> pairs) =>
        pairs.Count == 0 ? [] : [.. pairs[0].Select(row => Summarize(pairs, row))];

    private static BenchmarkRow Summarize(IReadOnlyList<IReadOnlyList<LatencyRow>> pairs, LatencyRow kind)
    {
        LatencyRow[] all = [.. pairs.Select(pair => Find(pair, kind, kind.Api)
            ?? throw new InvalidDataException($"A pair has no row {kind.Path}, {kind.Api}, {kind.InFlight} in flight."))];

        // Of the runs of one state only: a median over several would be that of whichever was there more often.
        LatencyRow[] rows = SteadyRuns.InOneState(all, static row => row.State) is { Count: > 0 } steady ? [.. steady] : all;
        IReadOnlyList<LatencyRow>[] chosen = [.. pairs.Where(pair => rows.Contains(Find(pair, kind, kind.Api)))];
        IReadOnlyList<LatencyRow>[] alike = [.. pairs.Where(pair => IsLikeDpdk(pair, kind))];
        IReadOnlyList<IReadOnlyList<LatencyRow>> compared = alike.Length > 0 ? alike : pairs;
        LatencyTail[] tails = [.. rows.Select(row => row.Tail).OfType<LatencyTail>()];
        Spread p50 = SpreadOf(rows, row => row.P50);
        Spread p99 = SpreadOf(rows, row => row.P99);
        Spread p999 = SpreadOf(rows, row => row.P999);
        Spread rate = SpreadOf(rows, row => row.RequestsPerSecond);
        return new BenchmarkRow
        {
            Path = kind.Path,
            Api = kind.Api,
            InFlight = kind.InFlight,
            P50 = MedianOf(rows, row => row.P50),
            P99 = MedianOf(rows, row => row.P99),
            P999 = MedianOf(rows, row => row.P999),
            RequestsPerSecond = Math.Round(MedianOf(rows, row => row.RequestsPerSecond)),
            SystemCallsPerRequest = MedianOf(rows, row => row.SystemCallsPerRequest),
            Pairs = all.Length,
            SummedUp = rows.Length,
            P50Min = p50.Min,
            P50Max = p50.Max,
            P99Min = p99.Min,
            P99Max = p99.Max,
            P999Min = p999.Min,
            P999Max = p999.Max,
            RequestsPerSecondMin = rate.Min,
            RequestsPerSecondMax = rate.Max,
            P50VersusBlocking = Ratio(chosen, kind, Paths.KernelBlocking, row => row.P50),
            P99VersusBlocking = Ratio(chosen, kind, Paths.KernelBlocking, row => row.P99),
            P50VersusBusyPoll = Ratio(chosen, kind, Paths.KernelBusyPoll, row => row.P50),
            P99VersusBusyPoll = Ratio(chosen, kind, Paths.KernelBusyPoll, row => row.P99),
            RequestsOverBatch = OverBatch(chosen, kind),
            LoadPercent = kind.Tail?.LoadPercent,
            OfferedPerSecond = kind.Tail?.OfferedPerSecond is null ? null : Math.Round(Statistics.Median(tails.Select(static tail => tail.OfferedPerSecond!.Value))),
            P9999 = tails is [] ? null : Math.Round(Statistics.Median(tails.Select(tail => tail.P9999)), 3),
            P9999Min = tails is [] ? null : tails.Min(tail => tail.P9999),
            P9999Max = tails is [] ? null : tails.Max(tail => tail.P9999),
            Max = tails is [] ? null : Math.Round(Statistics.Median(tails.Select(tail => tail.Max)), 3),
            MaxMin = tails is [] ? null : tails.Min(tail => tail.Max),
            MaxMax = tails is [] ? null : tails.Max(tail => tail.Max),
            Distribution = RoundTripDistribution.MedianOf([.. tails.Select(tail => tail.Distribution)]),
            Lost = tails is [] ? null : tails.Sum(tail => tail.Lost),
            CacheLineNs = rows[0].State == default ? null : Math.Round(Statistics.Median(rows.Select(static row => row.State.Line))),
            DpdkPairs = kind.Api == Apis.Native ? alike.Length : null,
            P50OverDpdk = OverDpdk(compared, kind, row => row.P50),
            P99OverDpdk = OverDpdk(compared, kind, row => row.P99),
            P999OverDpdk = OverDpdk(compared, kind, row => row.P999),
            P9999OverDpdk = OverDpdk(compared, kind, row => row.Tail?.P9999 ?? 0),
            MaxOverDpdk = OverDpdk(compared, kind, row => row.Tail?.Max ?? 0),
        };
    }

    /// <summary>How many times faster a row is than sockets with as many requests in flight: the ratio within each pair, then the median.</summary>
    private static double? Ratio(IReadOnlyList<IReadOnlyList<LatencyRow>> pairs, LatencyRow kind, string kernelPath, Func<LatencyRow, double> figure)
    {
        if (kind.Path != Paths.Arrakis)
        {
            return null;
        }

        return Statistics.MedianRatio(
            pairs.Select(pair => (Own: Find(pair, kind, kind.Api), Kernel: pair.FirstOrDefault(row => row.Path == kernelPath && row.InFlight == kind.InFlight)))
                .Where(static rows => rows is { Own: not null, Kernel: not null })
                .Select(rows => (figure(rows.Kernel!), figure(rows.Own!))),
            digits: 2);
    }

    private static double? OverBatch(IReadOnlyList<IReadOnlyList<LatencyRow>> pairs, LatencyRow kind) => kind.Path != Paths.Arrakis
        ? null
        : Statistics.MedianRatio(
            pairs.Select(pair => (Own: Find(pair, kind, kind.Api), Batch: pair.FirstOrDefault(row => row.Path == Paths.KernelBatch && row.InFlight == kind.InFlight)))
                .Where(static rows => rows is { Own: not null, Batch: not null })
                .Select(static rows => (rows.Own!.RequestsPerSecond, rows.Batch!.RequestsPerSecond)),
            digits: 2);

    /// <summary>How many pairs the row has that has the fewest in which native server and DPDK's met the same machine.</summary>
    public static int FewestLikePairs(IReadOnlyList<IReadOnlyList<LatencyRow>> pairs) =>
        pairs.Count == 0 ? 0 : pairs[0].Where(static row => row.Api == Apis.Native).Min(kind => pairs.Count(pair => IsLikeDpdk(pair, kind)));

    private static bool IsLikeDpdk(IReadOnlyList<LatencyRow> pair, LatencyRow kind) =>
        (Find(pair, kind, kind.Api), Find(pair, kind, Apis.Dpdk)) is ({ } ours, { } theirs) && ours.State.IsLike(theirs.State);

    /// <summary>Native figure over DPDK's at the same load: the ratio within each pair, then the median.</summary>
    private static double? OverDpdk(IReadOnlyList<IReadOnlyList<LatencyRow>> pairs, LatencyRow kind, Func<LatencyRow, double> figure) => kind.Api != Apis.Native
        ? null
        : Statistics.MedianRatio(
            pairs.Select(pair => (Own: Find(pair, kind, kind.Api), Dpdk: Find(pair, kind, Apis.Dpdk)))
                .Where(static rows => rows is { Own: not null, Dpdk: not null })
                .Select(rows => (figure(rows.Own!), figure(rows.Dpdk!))),
            digits: 3);

    private static LatencyRow? Find(IReadOnlyList<LatencyRow> pair, LatencyRow kind, string api) =>
        pair.FirstOrDefault(row => row.Path == kind.Path && row.Api == api && row.InFlight == kind.InFlight && row.Tail?.LoadPercent == kind.Tail?.LoadPercent);

    private static double MedianOf(LatencyRow[] rows, Func<LatencyRow, double> figure) => Math.Round(Statistics.Median(rows.Select(figure)), 4);

    private static Spread SpreadOf(LatencyRow[] rows, Func<LatencyRow, double> figure) => Spread.Of([.. rows.Select(figure)]);
}
