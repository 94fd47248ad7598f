using Arrakis.Measuring.Machine;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Tests;

public sealed class PairSummaryTests
{
    [Fact]
    public void Rows_have_the_medians_and_the_spread_of_their_pairs()
    {
        BenchmarkRow row = PairSummary.Summarize([[Blocking(50)], [Blocking(70)], [Blocking(60)]])[0];

        Assert.Equal((60.0, 50.0, 70.0, 3), (row.P50, row.P50Min, row.P50Max, row.Pairs));
        Assert.Equal((120.0, 100.0, 140.0), (row.P99, row.P99Min, row.P99Max));
        Assert.Null(row.P50VersusBlocking);
    }

    [Fact]
    public void Ratios_are_taken_within_each_pair()
    {
        // In pair two everything was twice as slow: the ratio is the same.
        IReadOnlyList<BenchmarkRow> rows = PairSummary.Summarize(
        [
            [Blocking(50), BusyPoll(6), Native(1, 1)],
            [Blocking(100), BusyPoll(12), Native(2, 1)],
            [Blocking(60), BusyPoll(6), Native(1, 1)],
        ]);

        Assert.Equal((50.0, 6.0), (rows[2].P50VersusBlocking, rows[2].P50VersusBusyPoll));
        Assert.Equal((50.0, 6.0), (rows[2].P99VersusBlocking, rows[2].P99VersusBusyPoll));
    }

    [Fact]
    public void Ratios_compare_equal_numbers_in_flight_only()
    {
        IReadOnlyList<BenchmarkRow> rows = PairSummary.Summarize([[Blocking(50), Native(1, 64)]]);

        Assert.Null(rows[1].P50VersusBlocking);
    }

    [Fact]
    public void A_row_that_one_pair_lacks_is_an_error() =>
        Assert.Throws<InvalidDataException>(() => PairSummary.Summarize([[Blocking(50)], [BusyPoll(6)]]));

    [Fact]
    public void The_native_tail_is_compared_with_dpdks_of_the_same_pair_and_load()
    {
        IReadOnlyList<BenchmarkRow> rows = PairSummary.Summarize(
        [
            [Tail(Apis.Native, 50, 2), Tail(Apis.Native, 80, 8), Tail(Apis.Dpdk, 50, 4), Tail(Apis.Dpdk, 80, 4)],
            [Tail(Apis.Native, 50, 6), Tail(Apis.Native, 80, 8), Tail(Apis.Dpdk, 50, 12), Tail(Apis.Dpdk, 80, 4)],
        ]);

        Assert.Equal([0.5, 2, null, null], rows.Select(row => row.MaxOverDpdk));
        Assert.Equal((50, 4.0, 2.0, 6.0, 2L), (rows[0].LoadPercent, rows[0].Max, rows[0].MaxMin, rows[0].MaxMax, rows[0].Lost));
    }

    [Fact]
    public void Runs_in_another_state_of_the_machine_are_left_out()
    {
        var near = new MachineState(100, 110);
        var far = new MachineState(500, 490);
        IReadOnlyList<LatencyRow>[] pairs =
        [
            [Tail(Apis.Native, 50, 8) with { State = far }, Tail(Apis.Dpdk, 50, 4) with { State = near }],
            [Tail(Apis.Native, 50, 2) with { State = near }, Tail(Apis.Dpdk, 50, 16) with { State = far }],
            [Tail(Apis.Native, 50, 3) with { State = near }, Tail(Apis.Dpdk, 50, 4) with { State = near }],
            [Tail(Apis.Native, 50, 9) with { State = new MachineState(100, 500) }, Tail(Apis.Dpdk, 50, 1) with { State = near }],
        ];
        IReadOnlyList<BenchmarkRow> rows = PairSummary.Summarize(pairs);

        Assert.Equal((4, 2, 2.5, 105), (rows[0].Pairs, rows[0].SummedUp, rows[0].Max, rows[0].CacheLineNs));
        Assert.Equal((0.75, 1), (rows[0].MaxOverDpdk, rows[0].DpdkPairs));
        Assert.Equal((4, 3, 4.0, null), (rows[1].Pairs, rows[1].SummedUp, rows[1].Max, rows[1].DpdkPairs));
        Assert.Equal(1, PairSummary.FewestLikePairs(pairs));
    }

    [Fact]
    public void Requests_a_second_are_compared_with_those_of_many_datagrams_in_a_call()
    {
        IReadOnlyList<BenchmarkRow> rows = PairSummary.Summarize([[Row(Paths.KernelBatch, Apis.SocketsBatch, 64, 10), Native(1, 64), Native(1, 1)]]);

        Assert.Equal([null, 10, null], rows.Select(row => row.RequestsOverBatch));
    }

    [Fact]
    public void No_pairs_have_no_rows() => Assert.Empty(PairSummary.Summarize([]));

    private static LatencyRow Blocking(double p50) => Row(Paths.KernelBlocking, Apis.SocketsBlocking, 1, p50);

    private static LatencyRow BusyPoll(double p50) => Row(Paths.KernelBusyPoll, Apis.SocketsBusyPoll, 1, p50);

    private static LatencyRow Native(double p50, int inFlight) => Row(Paths.Arrakis, Apis.Native, inFlight, p50);

    private static LatencyRow Tail(string api, int percent, double max) =>
        Row(Paths.Arrakis, api, 128, max / 4) with { Tail = new LatencyTail(max / 2, max, 1, percent, 1000) };

    private static LatencyRow Row(string path, string api, int inFlight, double p50) => new(path, api, inFlight, p50, 2 * p50, 3 * p50, 1_000_000 / p50, 2);
}
