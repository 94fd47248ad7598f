using System.Text.Json;
using System.Text.Json.Serialization;

namespace Arrakis.Plots;

/// <summary>What is drawn of a report of <c>arrakisctl bench</c>.</summary>
internal sealed record LoadReport(string Target, int PayloadLength, IReadOnlyList<LoadRow> Loads)
{
    /// <summary>Reads a report.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static LoadReport Read(FileInfo file)
    {
        try
        {
            using FileStream stream = file.OpenRead();
            return JsonSerializer.Deserialize(stream, PlotsJson.Default.LoadReport) ?? throw new InvalidDataException($"{file} has no report.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is no report of arrakisctl bench: {e.Message}", e);
        }
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

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(LoadReport))]
internal sealed partial class PlotsJson : JsonSerializerContext;
