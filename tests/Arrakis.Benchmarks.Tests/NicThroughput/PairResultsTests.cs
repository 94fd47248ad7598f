using System.Text.Json;
using Arrakis.Measuring.Machine;
using Arrakis.Measuring.Report;
using Arrakis.NicThroughput.FrontEnds;
using Arrakis.NicThroughput.Report;
using Arrakis.Wire.Rings;

namespace Arrakis.Benchmarks.Tests.NicThroughput;

public sealed class PairResultsTests
{
    private static readonly MachineState s_near = new(100, 100);

    [Fact]
    public void Ratios_are_of_pairs_and_the_rest_are_medians_with_their_spread()
    {
        // In pair two the machine was ten times as slow: no ratio is other for that.
        NicRow row = Assert.Single(Of((Mode.Receive, RingFormat.Split, [(20, 60), (2, 600), (30, 50)], [(10, 120), (1, 1200), (20, 100)])).Summarize());

        Assert.Equal(("receive", "split", 3), (row.Mode, row.Ring, row.Pairs));
        Assert.Equal((20.0, 10.0, 2.0), (row.ArrakisMpps, row.DpdkMpps, row.Ratio));
        Assert.Equal((60.0, 120.0, 0.5), (row.ArrakisCycles, row.DpdkCycles, row.CyclesRatio));
        Assert.Equal(new Spread(2, 30), row.Spread["arrakis_mpps"]);
        Assert.Equal(new Spread(1.5, 2), row.Spread["ratio"]);
    }

    [Fact]
    public void Each_ring_and_mode_has_a_row_in_a_fixed_order()
    {
        PairResults results = Of(
            (Mode.Forward, RingFormat.Packed, [(1, 1)], [(1, 1)]),
            (Mode.Receive, RingFormat.Packed, [(1, 1)], [(1, 1)]),
            (Mode.Transmit, RingFormat.Split, [(1, 1)], [(1, 1)]));

        Assert.Equal(["split transmit", "packed receive", "packed forward"], results.Summarize().Select(static row => $"{row.Ring} {row.Mode}"));
    }

    [Fact]
    public void The_newest_runs_are_told_in_a_line() =>
        Assert.Equal(
            "split receive: 3.0 / 4.0 Mpps, 30.0 / 40.0 cycles, cache line 100 / 100 ns",
            Of((Mode.Receive, RingFormat.Split, [(1, 10), (3, 30)], [(2, 20), (4, 40)])).Last(Mode.Receive, RingFormat.Split));

    [Fact]
    public void A_run_in_another_state_of_the_machine_is_no_partner()
    {
        var results = new PairResults();
        Add(Party.Arrakis, 10, new MachineState(100, 110));
        Add(Party.Arrakis, 1, new MachineState(500, 510));
        Add(Party.Dpdk, 2, new MachineState(490, 520));
        Assert.Equal(1, results.CountPairs(Mode.Forward, RingFormat.Packed));

        // One in which the state changed is no run in either.
        Add(Party.Dpdk, 9, new MachineState(100, 500));
        Add(Party.Dpdk, 5, new MachineState(90, 100));
        Add(Party.Arrakis, 20, new MachineState(105, 95));
        Add(Party.Dpdk, 10, new MachineState(100, 100));

        NicRow row = Assert.Single(results.Summarize());
        Assert.Equal((2, 7), (row.Pairs, row.Runs));
        Assert.Equal((15.0, 7.5, 2.0), (row.ArrakisMpps, row.DpdkMpps, row.Ratio));
        Assert.InRange(row.CacheLineNs, 95, 110);

        void Add(Party party, double mpps, MachineState state) => results.Add(Mode.Forward, RingFormat.Packed, party, new Measurement(mpps, 1, state));
    }

    [Fact]
    public void Runs_without_a_partner_are_shown_but_are_no_pair()
    {
        var results = new PairResults();
        results.Add(Mode.Receive, RingFormat.Split, Party.Arrakis, new Measurement(4, 1, new MachineState(100, 100)));
        results.Add(Mode.Receive, RingFormat.Split, Party.Dpdk, new Measurement(2, 1, new MachineState(500, 500)));

        NicRow row = Assert.Single(results.Summarize());
        Assert.Equal((0, 2.0), (row.Pairs, row.Ratio));
        Assert.EndsWith(", not a pair", results.Last(Mode.Receive, RingFormat.Split));
    }

    [Fact]
    public void The_file_has_the_documented_members()
    {
        string json = JsonSerializer.Serialize(Of((Mode.Receive, RingFormat.Split, [(1, 10)], [(2, 20)])).Summarize(), NicJson.Default.IReadOnlyListNicRow);

        JsonElement row = Assert.Single(JsonDocument.Parse(json).RootElement.EnumerateArray());
        string[] figures = ["arrakis_mpps", "dpdk_mpps", "ratio", "arrakis_cycles", "dpdk_cycles", "cycles_ratio"];
        Assert.Equal((string[])["mode", "ring", .. figures, "spread", "pairs", "runs", "cache_line_ns"], row.EnumerateObject().Select(static member => member.Name));
        Assert.Equal(figures, row.GetProperty("spread").EnumerateObject().Select(static member => member.Name));
        Assert.Equal(0.5, row.GetProperty("spread").GetProperty("ratio").GetProperty("min").GetDouble());
    }

    private static PairResults Of(params ReadOnlySpan<(Mode Mode, RingFormat Ring, (double Mpps, double Cycles)[] Ours, (double Mpps, double Cycles)[] Dpdk)> kinds)
    {
        var results = new PairResults();
        foreach ((Mode mode, RingFormat ring, (double, double)[] ours, (double, double)[] dpdk) in kinds)
        {
            foreach (((double mpps, double cycles), (double dpdkMpps, double dpdkCycles)) in ours.Zip(dpdk))
            {
                results.Add(mode, ring, Party.Arrakis, new Measurement(mpps, cycles, s_near));
                results.Add(mode, ring, Party.Dpdk, new Measurement(dpdkMpps, dpdkCycles, s_near));
            }
        }

        return results;
    }
}
