namespace Arrakis.UdpLatency.Report;

/// <summary>What one run of a client measured.</summary>
/// <param name="Received">Replies whose payload was the request's.</param>
/// <param name="Lost">Requests that had no reply in time.</param>
/// <param name="Corrupt">Replies whose payload was not the request's.</param>
/// <param name="Seconds">Measured time.</param>
/// <param name="P50">Median round trip in nanoseconds.</param>
/// <param name="P99">99th percentile in nanoseconds.</param>
/// <param name="P999">99.9th percentile in nanoseconds.</param>
/// <param name="SystemCallsPerRequest">System calls of the serving thread for each request.</param>
/// <param name="P9999">99.99th percentile in nanoseconds.</param>
/// <param name="Max">Longest round trip in nanoseconds.</param>
internal sealed record Measurement(long Received, long Lost, long Corrupt, double Seconds, long P50, long P99, long P999, double SystemCallsPerRequest, long P9999 = 0, long Max = 0)
{
    /// <summary>Nanoseconds at each of <see cref="RoundTripDistribution.Percentiles"/> that there are enough round trips for.</summary>
    public IReadOnlyList<long> Distribution { get; init; } = [];
}
