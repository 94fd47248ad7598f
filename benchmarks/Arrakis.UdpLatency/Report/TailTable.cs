using System.Globalization;
using Spectre.Console;

namespace Arrakis.UdpLatency.Report;

/// <summary>The tail beside DPDK's: a row for each load and server.</summary>
internal static class TailTable
{
    public static Table Of(IReadOnlyList<BenchmarkRow> rows)
    {
        var table = new Table { Title = new TableTitle("The tail beside DPDK: medians in µs, min–max; below native rows ours ÷ DPDK's"), Border = TableBorder.Rounded };
        foreach (string name in (string[])["api", "load", "rps", "p50", "p99", "p99.9", "p99.99", "max", "lost"])
        {
            var column = new TableColumn(name);
            _ = table.AddColumn(name == "api" ? column : column.RightAligned());
        }

        foreach (BenchmarkRow row in rows.Where(static row => row.Api is Apis.Native or Apis.Dpdk).OrderBy(static row => row.LoadPercent ?? 0).ThenBy(static row => row.InFlight))
        {
            _ = table.AddRow(
                row.Api,
                row.LoadPercent is { } percent ? $"{percent} %" : $"{row.InFlight} in flight",
                Number(row.RequestsPerSecond),
                Cell(row.P50, row.P50Min, row.P50Max, row.P50OverDpdk),
                Cell(row.P99, row.P99Min, row.P99Max, row.P99OverDpdk),
                Cell(row.P999, row.P999Min, row.P999Max, row.P999OverDpdk),
                Cell(row.P9999, row.P9999Min, row.P9999Max, row.P9999OverDpdk),
                Cell(row.Max, row.MaxMin, row.MaxMax, row.MaxOverDpdk),
                Number(row.Lost));
        }

        return table;
    }

    private static string Number(double? value) => value?.ToString("#,0.###", CultureInfo.InvariantCulture) ?? "";

    private static string Cell(double? median, double? min, double? max, double? ratio) =>
        $"{Number(median)}\n{Number(min)}–{Number(max)}{(ratio is null ? "" : string.Create(CultureInfo.InvariantCulture, $"\n× {ratio:0.00}"))}";
}
