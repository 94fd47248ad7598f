using System.Globalization;
using Arrakis.Measuring.Report;
using Arrakis.NicThroughput.FrontEnds;
using Arrakis.Wire.Virtio;

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
    private readonly List<(Mode Mode, VirtqueueFormat Ring, Party Party, Measurement Measured)> _all = [];

    public void Add(Mode mode, VirtqueueFormat ring, Party party, Measurement measured) => _all.Add((mode, ring, party, measured));

    /// <summary>The newest pair of a ring format, in a line.</summary>
    public string Last(VirtqueueFormat ring) => string.Join(
        ", ",
        _all.Where(one => one.Ring == ring).Select(one => one.Mode).Distinct().Select(mode =>
        {
            Measurement ours = Of(mode, ring, Party.Arrakis)[^1];
            Measurement dpdk = Of(mode, ring, Party.Dpdk)[^1];
            return string.Create(CultureInfo.InvariantCulture, $"{Name(mode)} {ours.Mpps:0.0} / {dpdk.Mpps:0.0} Mpps at {ours.Cycles:0.0} / {dpdk.Cycles:0.0} cycles");
        }));

    public IReadOnlyList<NicRow> Summarize() =>
    [
        .. from one in _all.Select(one => (one.Mode, one.Ring)).Distinct()
           orderby one.Ring, one.Mode
           select Summarize(one.Mode, one.Ring),
    ];

    private NicRow Summarize(Mode mode, VirtqueueFormat ring)
    {
        List<Measurement> ours = Of(mode, ring, Party.Arrakis);
        List<Measurement> dpdk = Of(mode, ring, Party.Dpdk);
        IReadOnlyList<double> ratios = Statistics.Ratios(ours.Zip(dpdk, static (a, b) => (a.Mpps, b.Mpps)));
        IReadOnlyList<double> cycleRatios = Statistics.Ratios(ours.Zip(dpdk, static (a, b) => (a.Cycles, b.Cycles)));
        double[] ourMpps = [.. ours.Select(static one => one.Mpps)];
        double[] dpdkMpps = [.. dpdk.Select(static one => one.Mpps)];
        double[] ourCycles = [.. ours.Select(static one => one.Cycles)];
        double[] dpdkCycles = [.. dpdk.Select(static one => one.Cycles)];
        return new NicRow
        {
            Mode = Name(mode),
            Ring = ring == VirtqueueFormat.Packed ? "packed" : "split",
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
            Pairs = ours.Count,
        };
    }

    private List<Measurement> Of(Mode mode, VirtqueueFormat ring, Party party) =>
        [.. _all.Where(one => one.Mode == mode && one.Ring == ring && one.Party == party).Select(static one => one.Measured)];

    private static string Name(Mode mode) => mode switch
    {
        Mode.Receive => "receive",
        Mode.Transmit => "transmit",
        _ => "forward",
    };
}
