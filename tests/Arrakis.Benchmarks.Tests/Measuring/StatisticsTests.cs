using Arrakis.Measuring.Report;

namespace Arrakis.Benchmarks.Tests.Measuring;

public sealed class StatisticsTests
{
    [Theory]
    [InlineData(new[] { 3.0 }, 3.0)]
    [InlineData(new[] { 9.0, 1.0, 5.0 }, 5.0)]
    [InlineData(new[] { 4.0, 1.0, 3.0, 2.0 }, 2.5)]
    public void The_median_is_the_middle_of_the_sorted_values(double[] values, double median) =>
        Assert.Equal(median, Statistics.Median(values));

    [Fact]
    public void There_is_no_median_of_nothing() => Assert.Throws<ArgumentException>(() => Statistics.Median([]));

    [Fact]
    public void The_spread_is_the_smallest_and_the_largest_value() =>
        Assert.Equal(new Spread(-1, 7), Spread.Of([3.0, 7.0, -1.0]));

    [Fact]
    public void The_median_of_ratios_is_that_of_the_pairs_and_not_the_ratio_of_the_medians() =>
        Assert.Equal(2, Statistics.MedianRatio([(2, 1), (200, 100), (3, 10)], digits: 2));

    [Fact]
    public void A_pair_without_the_other_value_has_no_ratio()
    {
        Assert.Equal([0.5], Statistics.Ratios([(1, 0), (1, 2)]));
        Assert.Null(Statistics.MedianRatio([(1, 0)], digits: 2));
    }
}
