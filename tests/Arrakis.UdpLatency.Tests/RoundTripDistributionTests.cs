using Arrakis.UdpLatency.Report;
using HdrHistogram;

namespace Arrakis.UdpLatency.Tests;

public sealed class RoundTripDistributionTests
{
    [Fact]
    public void The_percentiles_rise_and_have_those_of_the_rows_among_them()
    {
        Assert.Equal(RoundTripDistribution.Percentiles.Order().Distinct(), RoundTripDistribution.Percentiles);
        Assert.Empty(new[] { 50, 99, 99.9, 99.99 }.Except(RoundTripDistribution.Percentiles));
    }

    [Theory]
    [InlineData(1_000, 12)] // up to 99.9 %, beyond which one of a thousand lies
    [InlineData(100_000, 17)]
    [InlineData(0, 0)]
    public void A_percentile_has_a_value_where_at_least_one_round_trip_lies_beyond_it(int count, int points)
    {
        LongHistogram times = new(1, 10_000_000_000, 3);
        for (int i = 1; i <= count; i++)
        {
            times.RecordValue(i);
        }

        IReadOnlyList<long> values = RoundTripDistribution.Of(times);

        Assert.Equal(points, values.Count);
        Assert.Equal(values.Order(), values);
        Assert.All(values.Zip(RoundTripDistribution.Percentiles), point => Assert.Equal(count * point.Second / 100, point.First, tolerance: count * 0.002));
    }

    [Fact]
    public void Pairs_give_the_median_at_each_percentile_that_all_have() =>
        Assert.Equal(
            [new DistributionPoint(1, 2), new DistributionPoint(10, 5)],
            RoundTripDistribution.MedianOf([[1, 4, 9], [3, 6], [2, 5, 8]])!);

    [Fact]
    public void A_pair_without_a_distribution_leaves_none()
    {
        Assert.Null(RoundTripDistribution.MedianOf([]));
        Assert.Null(RoundTripDistribution.MedianOf([[1], []]));
    }
}
