using System.Globalization;
using Arrakis.Measuring.Report;
using Arrakis.NicThroughput.FrontEnds;
using Arrakis.Wire.Rings;

namespace Arrakis.NicThroughput.Report;

/// <summary>Who was measured.</summary>
internal enum Party
{
    Arrakis,
    Dpdk,
}

/// <summary>What was measured so far, and its summary.</summary>
internal sealed class PairResults
{
    private readonly List<(Mode Mode, RingFormat Ring, Party Party, Measurement Measured)> _all = [];

    public void Add(Mode mode, RingFormat ring, Party party, Measurement measured) => _all.Add((mode, ring, party, measured));

    /// <summary>The newest runs of a mode, in a line.</summary>
    public string Last(Mode mode, RingFormat ring)
    {
        Measurement ours = Of(mode, ring, Party.Arrakis)[^1];
        Measurement dpdk = Of(mode, ring, Party.Dpdk)[^1];
        string alike = ours.State.IsLike(dpdk.State) ? "" : ", not a pair";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{NicRow.NameOf(ring)} {Name(mode)}: {ours.Mpps:0.0} / {dpdk.Mpps:0.0} Mpps, {ours.Cycles:0.0} / {dpdk.Cycles:0.0} cycles, cache line {ours.State.Line:0} / {dpdk.State.Line:0} ns{alike}");
    }

    /// <summary>Pairs in the same state of the machine so far.</summary>
    public int CountPairs(Mode mode, RingFormat ring) => PairsOf(mode, ring).Count;

    public IReadOnlyList<NicRow> Summarize() =>
    [
        .. from one in _all.Select(one => (one.Mode, one.Ring)).Distinct()
           orderby one.Ring, one.Mode
           select Summarize(one.Mode, one.Ring),
    ];

    private NicRow Summarize(Mode mode, RingFormat ring)
    {
        IReadOnlyList<(Measurement Ours, Measurement Theirs)> alike = PairsOf(mode, ring);

        // In a short run there may be none: then the figures are there to be looked at, and no pairs are claimed.
        IReadOnlyList<(Measurement Ours, Measurement Theirs)> pairs = alike.Count > 0 ? alike : [.. Of(mode, ring, Party.Arrakis).Zip(Of(mode, ring, Party.Dpdk))];
        Measurement[] ours = [.. pairs.Select(static pair => pair.Ours)];
        Measurement[] dpdk = [.. pairs.Select(static pair => pair.Theirs)];
        IReadOnlyList<double> ratios = Statistics.Ratios(pairs.Select(static pair => (pair.Ours.Mpps, pair.Theirs.Mpps)));
        IReadOnlyList<double> cycleRatios = Statistics.Ratios(pairs.Select(static pair => (pair.Ours.Cycles, pair.Theirs.Cycles)));
        double[] ourMpps = [.. ours.Select(static one => one.Mpps)];
        double[] dpdkMpps = [.. dpdk.Select(static one => one.Mpps)];
        double[] ourCycles = [.. ours.Select(static one => one.Cycles)];
        double[] dpdkCycles = [.. dpdk.Select(static one => one.Cycles)];
        return new NicRow
        {
            Mode = Name(mode),
            Ring = NicRow.NameOf(ring),
            ArrakisMpps = Statistics.Median(ourMpps),
            DpdkMpps = Statistics.Median(dpdkMpps),
            Ratio = Statistics.Median(ratios),
            ArrakisCycles = Statistics.Median(ourCycles),
            DpdkCycles = Statistics.Median(dpdkCycles),
            CyclesRatio = Statistics.Median(cycleRatios),
            Spread = new Dictionary<string, Spread>
            {
                ["arrakis_mpps"] = Spread.Of(ourMpps),
                ["dpdk_mpps"] = Spread.Of(dpdkMpps),
                ["ratio"] = Spread.Of(ratios),
                ["arrakis_cycles"] = Spread.Of(ourCycles),
                ["dpdk_cycles"] = Spread.Of(dpdkCycles),
                ["cycles_ratio"] = Spread.Of(cycleRatios),
            },
            Pairs = alike.Count,
            Runs = Of(mode, ring, Party.Arrakis).Count + Of(mode, ring, Party.Dpdk).Count,
            CacheLineNs = Statistics.Median([.. ours.Concat(dpdk).Select(static one => one.State.Line)]),
        };
    }

    private IReadOnlyList<(Measurement Ours, Measurement Theirs)> PairsOf(Mode mode, RingFormat ring) =>
        SteadyRuns.Pairs(Of(mode, ring, Party.Arrakis), Of(mode, ring, Party.Dpdk), static one => one.State);

    private List<Measurement> Of(Mode mode, RingFormat ring, Party party) =>
        [.. _all.Where(one => one.Mode == mode && one.Ring == ring && one.Party == party).Select(static one => one.Measured)];

    private static string Name(Mode mode) => mode switch
    {
        Mode.Receive => "receive",
        Mode.Transmit => "transmit",
        _ => "forward",
    };
}
