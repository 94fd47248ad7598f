using System.Text.Json.Serialization;
using Arrakis.Plots.Drawing;

namespace Arrakis.Plots.Load;

/// <summary>What is drawn of a report of <c>arrakisctl bench</c>.</summary>
internal sealed record LoadReport(string Target, int PayloadLength, IReadOnlyList<LoadRow> Loads)
{
    /// <summary>Reads a report.</summary>
    /// <exception cref="InvalidDataException">It is none, or has no load.</exception>
    public static LoadReport Read(FileInfo file)
    {
        LoadReport report = JsonFile.Read(file, LoadJson.Default.LoadReport, "arrakisctl bench --output");
        return report.Loads.Count > 0 && report.Loads.All(static load => load is { Distribution: not null })
            ? report
            : throw new InvalidDataException($"{file} has no load, or one without its distribution; arrakisctl bench --output writes both.");
    }
}

/// <summary>One offered load; times in microseconds.</summary>
internal sealed record LoadRow(
    double? LoadPercent,
    double OfferedRps,
    double P50Us,
    double P99Us,
    double P999Us,
    double P9999Us,
    double MaxUs,
    IReadOnlyList<PercentilePoint> Distribution);

/// <summary>So many percent of the round trips were at most so long.</summary>
internal sealed record PercentilePoint(double Percentile, double Us);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(FigureConverter)], RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(LoadReport))]
internal sealed partial class LoadJson : JsonSerializerContext;
