using System.Text.Json.Serialization;
using Arrakis.Measuring.Report;

namespace Arrakis.StorageLatency.Report;

/// <summary>One row of the result: medians over the rounds.</summary>
internal sealed record StorageRow
{
    /// <summary>disk or memory.</summary>
    public required string Backing { get; init; }

    /// <summary>read-4k, write-4k or append-1k.</summary>
    public required string Work { get; init; }

    /// <summary>Requests at once.</summary>
    public required int Depth { get; init; }

    /// <summary>arrakis, random-access, fio-io_uring or o-dsync.</summary>
    public required string Api { get; init; }

    /// <summary>Requests a second.</summary>
    public required double Iops { get; init; }

    /// <summary>Median time of a request, microseconds.</summary>
    public required double P50Us { get; init; }

    /// <summary>99th percentile.</summary>
    public required double P99Us { get; init; }

    /// <summary>Processor time a request, microseconds.</summary>
    public required double CpuUsPerIo { get; init; }

    /// <summary>Summarizes the samples of the rounds.</summary>
    public static StorageRow Of(string backing, Workload load, string api, IReadOnlyCollection<Sample> samples) => new()
    {
        Backing = backing,
        Work = load.Name,
        Depth = load.Depth,
        Api = api,
        Iops = Math.Round(Statistics.Median(samples.Select(static sample => sample.Iops)), 1),
        P50Us = Math.Round(Statistics.Median(samples.Select(static sample => sample.P50)), 2),
        P99Us = Math.Round(Statistics.Median(samples.Select(static sample => sample.P99)), 2),
        CpuUsPerIo = Math.Round(Statistics.Median(samples.Select(static sample => sample.CpuPerIo)), 2),
    };
}

/// <summary>The result file's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(IReadOnlyList<StorageRow>))]
internal sealed partial class StorageJson : JsonSerializerContext;
