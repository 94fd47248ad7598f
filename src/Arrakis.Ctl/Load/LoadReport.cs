using System.Text.Json.Serialization;
using Arrakis.Contract.Control;

namespace Arrakis.Ctl.Load;

/// <summary>What <c>arrakisctl bench</c> found.</summary>
/// <param name="Target">Address and port of the server.</param>
/// <param name="PayloadLength">Bytes of UDP payload.</param>
/// <param name="InFlight">The most requests under way at once.</param>
/// <param name="Arrivals">How requests were spaced.</param>
/// <param name="Seed">Of random spacing.</param>
/// <param name="SaturationRps">Requests a second answered in a closed loop with that many in flight; null where it was not measured.</param>
/// <param name="Loads">A row for each offered load.</param>
internal sealed record LoadReport(
    string Target,
    int PayloadLength,
    int InFlight,
    ArrivalSpacing Arrivals,
    int Seed,
    double? SaturationRps,
    IReadOnlyList<LoadRow> Loads);

/// <summary>What was measured at one offered load, or in one interval of a soak. Times in microseconds.</summary>
internal sealed record LoadRow
{
    /// <summary>Percent of saturation; null where that was not measured.</summary>
    public double? LoadPercent { get; init; }

    public required double OfferedRps { get; init; }

    public required double AchievedRps { get; init; }

    public required long Sent { get; init; }

    public required long Received { get; init; }

    public required long Lost { get; init; }

    public required long Unsent { get; init; }

    public required long Delayed { get; init; }

    public required long Corrupt { get; init; }

    [JsonPropertyName("p50Us")]
    public required double P50 { get; init; }

    [JsonPropertyName("p90Us")]
    public required double P90 { get; init; }

    [JsonPropertyName("p99Us")]
    public required double P99 { get; init; }

    [JsonPropertyName("p999Us")]
    public required double P999 { get; init; }

    [JsonPropertyName("p9999Us")]
    public required double P9999 { get; init; }

    [JsonPropertyName("maxUs")]
    public required double Max { get; init; }

    /// <summary>Frames that the device dropped on the binding's port meanwhile, by reason; of a soak.</summary>
    public IReadOnlyDictionary<string, long>? Drops { get; init; }

    /// <summary>The whole distribution; left out of the intervals of a soak.</summary>
    public IReadOnlyList<PercentilePoint>? Distribution { get; init; }
}

/// <summary>A point of a distribution: so many percent of the round trips were at most so long.</summary>
/// <param name="Percentile">Percent.</param>
/// <param name="Us">Microseconds.</param>
internal readonly record struct PercentilePoint(double Percentile, double Us);
