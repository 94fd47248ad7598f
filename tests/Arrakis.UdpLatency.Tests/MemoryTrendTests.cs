using Arrakis.UdpLatency.Soak;

namespace Arrakis.UdpLatency.Tests;

public sealed class MemoryTrendTests
{
    private const double Mebi = 1024 * 1024;

    [Fact]
    public void What_settles_in_the_first_half_is_flat()
    {
        MemoryTrend trend = Of(second => second < 30 ? 20 + second : 50);

        Assert.True(trend.IsFlat);
        Assert.Equal((20 * Mebi, 50 * Mebi, 0), (trend.First, trend.Last, trend.SlopePerMinute));
    }

    [Fact]
    public void What_grows_to_the_end_is_not_flat()
    {
        MemoryTrend trend = Of(second => 100 + second * 0.5);

        Assert.False(trend.IsFlat);
        Assert.Equal(30, trend.SlopePerMinute / Mebi, 3);
    }

    [Fact]
    public void What_goes_up_and_down_is_flat() => Assert.True(Of(second => 60 + second % 7).IsFlat);

    private static MemoryTrend Of(Func<int, double> mebibytes)
    {
        var trend = new MemoryTrend("test");
        for (int second = 0; second < 120; second++)
        {
            trend.Add(second, mebibytes(second) * Mebi);
        }

        return trend;
    }
}
