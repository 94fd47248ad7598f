using System.Text.Json;
using Arrakis.Measuring.Report;
using Arrakis.NicThroughput.FrontEnds;
using Arrakis.NicThroughput.Report;
using Arrakis.Wire.Virtio;

namespace Arrakis.Benchmarks.Tests.NicThroughput;

public sealed class PairResultsTests
{
    [Fact]
    public void Ratios_are_of_pairs_and_the_rest_are_medians_with_their_spread()
    {
        // In pair two the machine was ten times as slow: no ratio is other for that.
        NicRow row = Assert.Single(Of((Mode.Receive, VirtqueueFormat.Split, [(20, 60), (2, 600), (30, 50)], [(10, 120), (1, 1200), (20, 100)])).Summarize());

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
            (Mode.Forward, VirtqueueFormat.Packed, [(1, 1)], [(1, 1)]),
            (Mode.Receive, VirtqueueFormat.Packed, [(1, 1)], [(1, 1)]),
            (Mode.Transmit, VirtqueueFormat.Split, [(1, 1)], [(1, 1)]));

        Assert.Equal(["split transmit", "packed receive", "packed forward"], results.Summarize().Select(static row => $"{row.Ring} {row.Mode}"));
    }

    [Fact]
    public void The_newest_pair_is_told_in_a_line() =>
        Assert.Equal(
            "receive 3.0 / 4.0 Mpps at 30.0 / 40.0 cycles",
            Of((Mode.Receive, VirtqueueFormat.Split, [(1, 10), (3, 30)], [(2, 20), (4, 40)])).Last(VirtqueueFormat.Split));

    [Fact]
    public void The_file_has_the_documented_members()
    {
        string json = JsonSerializer.Serialize(Of((Mode.Receive, VirtqueueFormat.Split, [(1, 10)], [(2, 20)])).Summarize(), NicJson.Default.IReadOnlyListNicRow);

        JsonElement row = Assert.Single(JsonDocument.Parse(json).RootElement.EnumerateArray());
        string[] figures = ["arrakis_mpps", "dpdk_mpps", "ratio", "arrakis_cycles", "dpdk_cycles", "cycles_ratio"];
        Assert.Equal((string[])["mode", "ring", .. figures, "spread", "pairs"], row.EnumerateObject().Select(static member => member.Name));
        Assert.Equal(figures, row.GetProperty("spread").EnumerateObject().Select(static member => member.Name));
        Assert.Equal(0.5, row.GetProperty("spread").GetProperty("ratio").GetProperty("min").GetDouble());
    }

    private static PairResults Of(params ReadOnlySpan<(Mode Mode, VirtqueueFormat Ring, (double Mpps, double Cycles)[] Ours, (double Mpps, double Cycles)[] Dpdk)> kinds)
    {
        var results = new PairResults();
        foreach ((Mode mode, VirtqueueFormat ring, (double, double)[] ours, (double, double)[] dpdk) in kinds)
        {
            foreach (((double mpps, double cycles), (double dpdkMpps, double dpdkCycles)) in ours.Zip(dpdk))
            {
                results.Add(mode, ring, Party.Arrakis, new Measurement(mpps, cycles));
                results.Add(mode, ring, Party.Dpdk, new Measurement(dpdkMpps, dpdkCycles));
            }
        }

        return results;
    }
}
