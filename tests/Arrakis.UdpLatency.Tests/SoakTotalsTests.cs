using Arrakis.Contract.Control;
using Arrakis.UdpLatency.Soak;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.UdpLatency.Tests;

public sealed class SoakTotalsTests
{
    private static readonly Dictionary<string, long> s_noDrops = [];

    [Fact]
    public void Intervals_are_summed()
    {
        SoakTotals totals = Of(Interval(sent: 10, received: 8, lost: 2, unsent: 1), Interval(sent: 5, received: 5));

        Assert.Equal((15L, 13L, 2L, 1L, 0L), (totals.Sent, totals.Received, totals.Lost, totals.Unsent, totals.Corrupt));
    }

    [Fact]
    public void Loss_that_the_device_counted_is_no_fault() =>
        Assert.Empty(Faults(Of(Interval(10, 8, lost: 2)), new Dictionary<string, long> { ["vf0 ring-full"] = 2 }));

    [Fact]
    public void Loss_that_no_counter_explains_is_one()
    {
        SoakTotals totals = Of(Interval(10, 7, lost: 3));
        var drops = new Dictionary<string, long> { ["tester rate"] = 1 };

        Assert.Equal(2, totals.Unexplained(drops));
        Assert.Equal(["2 of 3 lost requests are explained by no counter."], Faults(totals, drops));
    }

    [Fact]
    public void More_drops_than_losses_explain_all_and_no_more() =>
        Assert.Equal(0, Of(Interval(10, 9, lost: 1)).Unexplained(new Dictionary<string, long> { ["vf0 ring-full"] = 5 }));

    [Fact]
    public void Corrupt_replies_and_sums_that_do_not_add_up_are_faults()
    {
        Assert.Equal(["4 replies were corrupt."], Faults(Of(Interval(10, 10, corrupt: 4)), s_noDrops));
        Assert.Equal(["10 were sent, 8 answered and 1 lost: that does not add up."], Faults(Of(Interval(10, 8, lost: 1)), new Dictionary<string, long> { ["vf0 ring-full"] = 1 }));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(5, 0)]
    public void A_soak_without_neighbours_that_come_and_go_is_none(long bound, long revoked) =>
        Assert.Equal(["No neighbour came and went."], Of(Interval(1, 1)).Faults(s_noDrops, bound, revoked, []));

    [Fact]
    public void Memory_that_grows_is_named()
    {
        var grows = new MemoryTrend("device");
        var flat = new MemoryTrend("server");
        for (int second = 0; second < 100; second++)
        {
            grows.Add(second, second * 1024.0 * 1024);
            flat.Add(second, 50.0 * 1024 * 1024);
        }

        Assert.Equal(["The memory of the device grows."], Of(Interval(1, 1)).Faults(s_noDrops, 2, 1, [grows, flat]));
    }

    [Fact]
    public void Between_two_looks_only_what_was_counted_meanwhile_counts() =>
        Assert.Equal(
            [("b", 3L), ("c", 1L)],
            SoakTotals.Between(new Dictionary<string, long> { ["a"] = 5, ["b"] = 2 }, new Dictionary<string, long> { ["a"] = 5, ["b"] = 5, ["c"] = 1 }).Select(static drop => (drop.Key, drop.Value)));

    private static IReadOnlyList<string> Faults(SoakTotals totals, IReadOnlyDictionary<string, long> drops) => totals.Faults(drops, neighboursBound: 2, neighboursRevoked: 1, []);

    private static SoakTotals Of(params ReadOnlySpan<TestResult> intervals)
    {
        var totals = new SoakTotals();
        foreach (TestResult interval in intervals)
        {
            totals.Add(interval);
        }

        return totals;
    }

    private static TestResult Interval(long sent, long received, long lost = 0, long unsent = 0, long corrupt = 0) => new()
    {
        Sent = sent,
        Received = received,
        Lost = lost,
        Unsent = unsent,
        Corrupt = corrupt,
        Seconds = 5,
        RoundTrip = new RoundTripPercentiles(1, 2, 3, 4, 5),
    };
}
