using System.Globalization;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Load;

/// <summary>Offered loads and what they gave, as people read them.</summary>
internal static class LoadTable
{
    private static readonly string[] s_headings =
        ["LOAD", "OFFERED/S", "ACHIEVED/S", "LOST", "UNSENT", "DELAYED", "P50", "P90", "P99", "P99.9", "P99.99", "MAX"];

    internal static TextTable Of(IReadOnlyList<LoadRow> rows)
    {
        var table = new TextTable(s_headings);
        foreach (LoadRow row in rows)
        {
            table.Add(Cells(row));
        }

        return table;
    }

    /// <summary>An interval of a soak as one line, since its table is never finished.</summary>
    internal static string Line(TimeSpan since, LoadRow row) => string.Create(
        CultureInfo.InvariantCulture,
        $"{since.TotalSeconds,8:0.0} s  {row.AchievedRps,11:0}/s of {row.OfferedRps:0}  lost {row.Lost}  unsent {row.Unsent}  p50 {row.P50:0.00}  p99 {row.P99:0.00}  p99.9 {row.P999:0.00}  max {row.Max:0.00} µs{Drops(row)}");

    private static string Drops(LoadRow row) =>
        row.Drops is { Count: > 0 } drops ? "  " + string.Join(' ', drops.Select(static drop => $"{drop.Key}={drop.Value}")) : "";

    private static object?[] Cells(LoadRow row) =>
    [
        row.LoadPercent is { } load ? string.Create(CultureInfo.InvariantCulture, $"{load:0.##} %") : null,
        (long)row.OfferedRps, (long)row.AchievedRps, row.Lost, row.Unsent, row.Delayed,
        Time(row.P50), Time(row.P90), Time(row.P99), Time(row.P999), Time(row.P9999), Time(row.Max),
    ];

    private static string Time(double microseconds) => string.Create(CultureInfo.InvariantCulture, $"{microseconds:0.00} µs");
}
