using System.Text.Json.Serialization;

namespace Arrakis.UdpLatency.Soak;

/// <summary>What a soak found; also the content of artifacts/soak.json.</summary>
internal sealed record SoakReport
{
    [JsonPropertyName("seconds")]
    public required double Seconds { get; init; }

    [JsonPropertyName("saturation_rps")]
    public required double Saturation { get; init; }

    [JsonPropertyName("offered_rps")]
    public required double Offered { get; init; }

    [JsonPropertyName("sent")]
    public required long Sent { get; init; }

    [JsonPropertyName("received")]
    public required long Received { get; init; }

    [JsonPropertyName("lost")]
    public required long Lost { get; init; }

    [JsonPropertyName("unsent")]
    public required long Unsent { get; init; }

    [JsonPropertyName("corrupt")]
    public required long Corrupt { get; init; }

    /// <summary>Frames that the device counted as dropped on the server's port and the tester's, by port and reason.</summary>
    [JsonPropertyName("drops")]
    public required IReadOnlyDictionary<string, long> Drops { get; init; }

    /// <summary>Lost requests that no counter explains.</summary>
    [JsonPropertyName("unexplained")]
    public required long Unexplained { get; init; }

    [JsonPropertyName("p50_us")]
    public required double P50 { get; init; }

    [JsonPropertyName("worst_p999_us")]
    public required double WorstP999 { get; init; }

    [JsonPropertyName("max_us")]
    public required double Max { get; init; }

    [JsonPropertyName("neighbours_bound")]
    public required long NeighboursBound { get; init; }

    [JsonPropertyName("neighbours_revoked")]
    public required long NeighboursRevoked { get; init; }

    [JsonPropertyName("memory")]
    public required IReadOnlyList<SoakMemory> Memory { get; init; }

    /// <summary>Everything that is not as it must be; empty where the soak passed.</summary>
    [JsonPropertyName("faults")]
    public required IReadOnlyList<string> Faults { get; init; }
}

/// <summary>Somebody's memory in the course of a soak.</summary>
internal sealed record SoakMemory(
    [property: JsonPropertyName("of")] string Of,
    [property: JsonPropertyName("first_kib")] double FirstKib,
    [property: JsonPropertyName("last_kib")] double LastKib,
    [property: JsonPropertyName("slope_kib_per_minute")] double SlopeKibPerMinute,
    [property: JsonPropertyName("flat")] bool IsFlat);
