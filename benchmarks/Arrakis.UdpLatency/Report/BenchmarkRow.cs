using System.Text.Json.Serialization;

namespace Arrakis.UdpLatency.Report;

/// <summary>One row of the benchmark: medians over the pairs, their spread, and how many times faster than kernel sockets.</summary>
internal sealed record BenchmarkRow
{
    [JsonPropertyName("path")]
    public required string Path { get; init; }

    [JsonPropertyName("api")]
    public required string Api { get; init; }

    [JsonPropertyName("in_flight")]
    public required int InFlight { get; init; }

    [JsonPropertyName("p50_us")]
    public required double P50 { get; init; }

    [JsonPropertyName("p99_us")]
    public required double P99 { get; init; }

    [JsonPropertyName("p999_us")]
    public required double P999 { get; init; }

    [JsonPropertyName("rps")]
    public required double RequestsPerSecond { get; init; }

    [JsonPropertyName("syscalls_per_request")]
    public required double SystemCallsPerRequest { get; init; }

    /// <summary>How many times it was measured.</summary>
    [JsonPropertyName("pairs")]
    public required int Pairs { get; init; }

    [JsonPropertyName("p50_us_min")]
    public required double P50Min { get; init; }

    [JsonPropertyName("p50_us_max")]
    public required double P50Max { get; init; }

    [JsonPropertyName("p99_us_min")]
    public required double P99Min { get; init; }

    [JsonPropertyName("p99_us_max")]
    public required double P99Max { get; init; }

    [JsonPropertyName("p999_us_min")]
    public required double P999Min { get; init; }

    [JsonPropertyName("p999_us_max")]
    public required double P999Max { get; init; }

    [JsonPropertyName("rps_min")]
    public required double RequestsPerSecondMin { get; init; }

    [JsonPropertyName("rps_max")]
    public required double RequestsPerSecondMax { get; init; }

    /// <summary>Median over the pairs of: blocking sockets' p50 divided by this p50, both of one pair; null for sockets themselves.</summary>
    [JsonPropertyName("p50_times_faster_than_blocking")]
    public double? P50VersusBlocking { get; init; }

    [JsonPropertyName("p99_times_faster_than_blocking")]
    public double? P99VersusBlocking { get; init; }

    [JsonPropertyName("p50_times_faster_than_busy_poll")]
    public double? P50VersusBusyPoll { get; init; }

    [JsonPropertyName("p99_times_faster_than_busy_poll")]
    public double? P99VersusBusyPoll { get; init; }

    /// <summary>Requests a second over those of recvmmsg and sendmmsg with as many in flight, of the same pair; the median over the pairs.</summary>
    [JsonPropertyName("rps_over_recvmmsg")]
    public double? RequestsOverBatch { get; init; }

    /// <summary>Percent of saturation, of an open loop; <see cref="InFlight"/> is then the bound.</summary>
    [JsonPropertyName("load_percent")]
    public int? LoadPercent { get; init; }

    [JsonPropertyName("offered_rps")]
    public double? OfferedPerSecond { get; init; }

    [JsonPropertyName("p9999_us")]
    public double? P9999 { get; init; }

    [JsonPropertyName("p9999_us_min")]
    public double? P9999Min { get; init; }

    [JsonPropertyName("p9999_us_max")]
    public double? P9999Max { get; init; }

    [JsonPropertyName("max_us")]
    public double? Max { get; init; }

    [JsonPropertyName("max_us_min")]
    public double? MaxMin { get; init; }

    [JsonPropertyName("max_us_max")]
    public double? MaxMax { get; init; }

    /// <summary>Medians over the pairs at each percentile that has enough round trips; null where there is no distribution.</summary>
    [JsonPropertyName("distribution")]
    public IReadOnlyList<DistributionPoint>? Distribution { get; init; }

    /// <summary>Requests of all pairs without a reply, or never sent.</summary>
    [JsonPropertyName("lost")]
    public long? Lost { get; init; }

    /// <summary>Nanoseconds that a cache line took from one core to the other and back, of the runs that are summed up; null on kernel rows.</summary>
    [JsonPropertyName("cache_line_ns")]
    public double? CacheLineNs { get; init; }

    /// <summary>Of the pairs, how many runs are summed up: those of the machine's state that most of them had.</summary>
    [JsonPropertyName("summed_up")]
    public required int SummedUp { get; init; }

    /// <summary>Pairs in which native server and DPDK's met the same state of the machine; null on other rows. Where there are none, the ratios are of all pairs.</summary>
    [JsonPropertyName("dpdk_pairs")]
    public int? DpdkPairs { get; init; }

    /// <summary>Native figures over DPDK's of the same pair and load, the median over the pairs; null on other rows.</summary>
    [JsonPropertyName("p50_over_dpdk")]
    public double? P50OverDpdk { get; init; }

    [JsonPropertyName("p99_over_dpdk")]
    public double? P99OverDpdk { get; init; }

    [JsonPropertyName("p999_over_dpdk")]
    public double? P999OverDpdk { get; init; }

    [JsonPropertyName("p9999_over_dpdk")]
    public double? P9999OverDpdk { get; init; }

    [JsonPropertyName("max_over_dpdk")]
    public double? MaxOverDpdk { get; init; }
}
