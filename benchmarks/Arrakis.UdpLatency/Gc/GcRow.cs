using System.Text.Json.Serialization;

namespace Arrakis.UdpLatency.Gc;

/// <summary>One row of artifacts/bench-gc.json: medians over the runs, but for the longest round trip, which is the longest of all.</summary>
internal sealed record GcRow
{
    [JsonPropertyName("setup")]
    public required string Setup { get; init; }

    [JsonPropertyName("api")]
    public required string Api { get; init; }

    /// <summary>Requests under way, of a closed loop; percent of saturation, of an open one.</summary>
    [JsonPropertyName("load")]
    public required string Load { get; init; }

    [JsonPropertyName("runs")]
    public required int Runs { get; init; }

    [JsonPropertyName("rps")]
    public required double RequestsPerSecond { get; init; }

    [JsonPropertyName("p50_us")]
    public required double P50 { get; init; }

    [JsonPropertyName("p99_us")]
    public required double P99 { get; init; }

    [JsonPropertyName("p999_us")]
    public required double P999 { get; init; }

    [JsonPropertyName("p9999_us")]
    public required double P9999 { get; init; }

    [JsonPropertyName("max_us")]
    public required double Max { get; init; }

    [JsonPropertyName("lost")]
    public required long Lost { get; init; }

    /// <summary>What the server's process allocated, as its runtime counts it.</summary>
    [JsonPropertyName("allocated_mb_per_second")]
    public required double AllocatedMegabytesPerSecond { get; init; }

    [JsonPropertyName("collections_per_second")]
    public required double CollectionsPerSecond { get; init; }

    /// <summary>Time for which the runtime had stopped the process's threads, in a second.</summary>
    [JsonPropertyName("paused_ms_per_second")]
    public required double PausedMillisecondsPerSecond { get; init; }

    /// <summary>The collector that the process really had.</summary>
    [JsonPropertyName("collector")]
    public required string Collector { get; init; }
}
