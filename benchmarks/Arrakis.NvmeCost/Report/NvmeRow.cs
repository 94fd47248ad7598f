using System.Globalization;
using System.Text.Json.Serialization;
using Arrakis.Measuring.Report;
using Spectre.Console;

namespace Arrakis.NvmeCost.Report;

/// <summary>One row of the result: medians over the pairs, with the smallest and the largest value.</summary>
internal sealed record NvmeRow
{
    /// <summary>What each request is.</summary>
    public required string Work { get; init; }

    /// <summary>Requests in flight.</summary>
    public required int Depth { get; init; }

    /// <summary>Nanoseconds of our driver for a request, submitted and completed.</summary>
    public required double ArrakisNs { get; init; }

    /// <summary>The same of the driver in C.</summary>
    public required double CNs { get; init; }

    /// <summary>Time stamp counter cycles of ours.</summary>
    public required double ArrakisCycles { get; init; }

    /// <summary>The same of the driver in C.</summary>
    public required double CCycles { get; init; }

    /// <summary>The median of the pairs' ratios, ours by that in C.</summary>
    public required double Ratio { get; init; }

    /// <summary>Smallest and largest of each.</summary>
    public required IReadOnlyDictionary<string, Spread> Spread { get; init; }

    /// <summary>Pairs of runs.</summary>
    public required int Pairs { get; init; }

    /// <summary>Summarizes cycles a request of pairs of runs.</summary>
    public static NvmeRow Of(string work, int depth, double cyclesPerNanosecond, IReadOnlyList<(double Ours, double Theirs)> pairs)
    {
        double[] ours = [.. pairs.Select(static pair => pair.Ours)];
        double[] theirs = [.. pairs.Select(static pair => pair.Theirs)];
        IReadOnlyList<double> ratios = Statistics.Ratios(pairs);
        return new NvmeRow
        {
            Work = work,
            Depth = depth,
            ArrakisNs = Math.Round(Statistics.Median(ours) / cyclesPerNanosecond, 2),
            CNs = Math.Round(Statistics.Median(theirs) / cyclesPerNanosecond, 2),
            ArrakisCycles = Math.Round(Statistics.Median(ours), 1),
            CCycles = Math.Round(Statistics.Median(theirs), 1),
            Ratio = Math.Round(Statistics.Median(ratios), 3),
            Spread = new Dictionary<string, Spread>
            {
                ["arrakis_ns"] = Rounded(ours.Select(value => value / cyclesPerNanosecond)),
                ["c_ns"] = Rounded(theirs.Select(value => value / cyclesPerNanosecond)),
                ["ratio"] = Rounded(ratios),
            },
            Pairs = pairs.Count,
        };
    }

    /// <summary>Rows as a table.</summary>
    public static Table Table(IReadOnlyList<NvmeRow> rows)
    {
        Table table = new Table().AddColumns("work", "depth", "arrakis ns", "C ns", "ratio", "arrakis cycles", "C cycles", "pairs");
        foreach (NvmeRow row in rows)
        {
            table.AddRow(
                row.Work, Text("0", row.Depth), Text("0.0", row.ArrakisNs), Text("0.0", row.CNs), Text("0.00", row.Ratio), Text("0.0", row.ArrakisCycles), Text("0.0", row.CCycles), Text("0", row.Pairs));
        }

        return table;
    }

    private static Spread Rounded(IEnumerable<double> values)
    {
        var spread = Measuring.Report.Spread.Of([.. values]);
        return new Spread(Math.Round(spread.Min, 3), Math.Round(spread.Max, 3));
    }

    private static string Text(string format, double value) => value.ToString(format, CultureInfo.InvariantCulture);
}

/// <summary>The result file's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(IReadOnlyList<NvmeRow>))]
internal sealed partial class NvmeJson : JsonSerializerContext;
