using System.Globalization;
using Spectre.Console;

namespace Arrakis.UdpLatency.Report;

/// <summary>The tables that people read; the same figures as in the JSON files.</summary>
internal static class LatencyTable
{
    /// <summary>The demo's table.</summary>
    public static Table Of(IReadOnlyList<LatencyRow> rows)
    {
        Table table = Columns("UDP echo round trip", "path", "api", "in_flight", "p50_us", "p99_us", "p999_us", "rps", "syscalls_per_request");
        foreach (LatencyRow row in rows)
        {
            _ = table.AddRow(
                row.Path,
                row.Api,
                Number(row.InFlight),
                Number(row.P50),
                Number(row.P99),
                Number(row.P999),
                Number(row.RequestsPerSecond),
                Number(row.SystemCallsPerRequest));
        }

        return table;
    }

    /// <summary>The benchmark's table.</summary>
    public static Table Of(IReadOnlyList<BenchmarkRow> rows)
    {
        Table table = Columns(
            $"UDP echo round trip: medians of {rows.Max(row => row.Pairs)} pairs, min–max; times faster than sockets (p50, p99)",
            "path", "api", "in_flight", "p50_us", "p99_us", "p999_us", "rps", "syscalls_per_request", "× blocking", "× busy-poll");
        foreach (BenchmarkRow row in rows)
        {
            _ = table.AddRow(
                row.Path,
                row.Api,
                Number(row.InFlight),
                Spread(row.P50, row.P50Min, row.P50Max),
                Spread(row.P99, row.P99Min, row.P99Max),
                Spread(row.P999, row.P999Min, row.P999Max),
                Number(row.RequestsPerSecond),
                Number(row.SystemCallsPerRequest),
                Ratios(row.P50VersusBlocking, row.P99VersusBlocking),
                Ratios(row.P50VersusBusyPoll, row.P99VersusBusyPoll));
        }

        return table;
    }

    private static Table Columns(string title, params ReadOnlySpan<string> names)
    {
        var table = new Table { Title = new TableTitle(title), Border = TableBorder.Rounded };
        foreach (string name in names)
        {
            var column = new TableColumn(name);
            _ = table.AddColumn(name is "path" or "api" ? column : column.RightAligned());
        }

        return table;
    }

    private static string Number(double value) => value.ToString("#,0.####", CultureInfo.InvariantCulture);

    private static string Spread(double median, double min, double max) => $"{Number(median)}\n{Number(min)}–{Number(max)}";

    private static string Ratios(double? p50, double? p99) =>
        p50 is null || p99 is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{p50:0.0}\n{p99:0.0}");
}
