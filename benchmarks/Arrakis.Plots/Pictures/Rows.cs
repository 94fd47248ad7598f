using System.Text.Json.Serialization;
using Arrakis.Plots.Drawing;
using Arrakis.Plots.Load;

namespace Arrakis.Plots.Pictures;

/// <summary>What is drawn of a row of artifacts/bench-udp.json.</summary>
internal sealed record UdpRow
{
    public required string Path { get; init; }

    public required string Api { get; init; }

    public required int InFlight { get; init; }

    /// <summary>Null in a closed loop.</summary>
    public int? LoadPercent { get; init; }

    public required double P50Us { get; init; }

    public required double P99Us { get; init; }

    public required double P999Us { get; init; }

    public double? P9999Us { get; init; }

    public IReadOnlyList<PercentilePoint>? Distribution { get; init; }

    /// <summary>The distribution, or the percentiles where there is none.</summary>
    [JsonIgnore]
    public IEnumerable<PercentilePoint> Points => (Distribution is { Count: > 0 }
        ? Distribution
        : [new(50, P50Us), new(99, P99Us), new(99.9, P999Us), .. P9999Us is { } tail ? new PercentilePoint[] { new(99.99, tail) } : []])
        .Where(static point => point is { Percentile: >= 0 and < 100 });
}

/// <summary>What is drawn of a row of artifacts/bench-nic.json.</summary>
internal sealed record NicRow
{
    public required string Mode { get; init; }

    public required string Ring { get; init; }

    public required double ArrakisMpps { get; init; }

    public required double DpdkMpps { get; init; }

    public required double ArrakisCycles { get; init; }

    public required double DpdkCycles { get; init; }

    /// <summary>The smallest and the largest of each, by the name of the figure.</summary>
    public IReadOnlyDictionary<string, Range>? Spread { get; init; }

    /// <summary>The smallest and the largest of the pairs.</summary>
    internal readonly record struct Range(double Min, double Max);
}

/// <summary>A row of artifacts/bench-nic-sweep.json.</summary>
internal sealed record SweepRow
{
    /// <summary><c>batch</c>: frames in a batch; or <c>frame</c>: bytes of a frame.</summary>
    public required string Sweep { get; init; }

    /// <summary>Of what is swept.</summary>
    public required int Value { get; init; }

    public required string Ring { get; init; }

    public required string Mode { get; init; }

    public required double ArrakisMpps { get; init; }

    public required double DpdkMpps { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(FigureConverter)], RespectNullableAnnotations = true)]
[JsonSerializable(typeof(IReadOnlyList<UdpRow>))]
[JsonSerializable(typeof(IReadOnlyList<NicRow>))]
[JsonSerializable(typeof(IReadOnlyList<SweepRow>))]
internal sealed partial class RowsJson : JsonSerializerContext;
