using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Tests;

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
}
