using System.Text.Json.Serialization;
using Arrakis.Measuring.Report;
using HdrHistogram;

namespace Arrakis.UdpLatency.Report;

/// <summary>A distribution of round trips by fixed percentiles, so that the pairs of a benchmark have the same ones.</summary>
internal static class RoundTripDistribution
{
    /// <summary>The percentiles, finer towards the tail.</summary>
    public static IReadOnlyList<double> Percentiles { get; } = [1, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.975, 99.99, 99.995, 99.999];

    /// <summary>Nanoseconds at each of <see cref="Percentiles"/> that the histogram has values beyond.</summary>
    public static IReadOnlyList<long> Of(HistogramBase times) =>
        [.. Percentiles.Where(percentile => Math.Round(times.TotalCount * (100 - percentile) / 100, 3) >= 1).Select(times.GetValueAtPercentile)];

    /// <summary>The median over the pairs at each percentile that all of them have; null where one has none.</summary>
    /// <param name="pairs">Microseconds of each pair.</param>
    public static IReadOnlyList<DistributionPoint>? MedianOf(IReadOnlyCollection<IReadOnlyList<double>> pairs) =>
        pairs.Count == 0 || pairs.Any(static pair => pair.Count == 0)
            ? null
            : [.. Enumerable.Range(0, pairs.Min(static pair => pair.Count)).Select(i => new DistributionPoint(Percentiles[i], Math.Round(Statistics.Median(pairs.Select(pair => pair[i])), 3)))];
}

/// <summary>So many percent of the round trips took at most so long.</summary>
/// <param name="Percentile">Percent.</param>
/// <param name="Microseconds">How long.</param>
internal sealed record DistributionPoint(
    [property: JsonPropertyName("percentile")] double Percentile,
    [property: JsonPropertyName("us")] double Microseconds);
