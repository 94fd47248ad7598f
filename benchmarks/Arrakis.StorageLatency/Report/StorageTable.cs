using System.Globalization;
using Spectre.Console;

namespace Arrakis.StorageLatency.Report;

/// <summary>The result as a table.</summary>
internal static class StorageTable
{
    public static Table Of(IReadOnlyList<StorageRow> rows)
    {
        var table = new Table().AddColumns("backing", "work", "depth", "api", "IOPS", "p50 µs", "p99 µs", "CPU µs a request");
        foreach (StorageRow row in rows)
        {
            table.AddRow(
                row.Backing, row.Work, Text("0", row.Depth), row.Api, Text("#,0", row.Iops), Text("0.00", row.P50Us), Text("0.00", row.P99Us), Text("0.00", row.CpuUsPerIo));
        }

        return table;
    }

    private static string Text(string format, double value) => value.ToString(format, CultureInfo.InvariantCulture);
}
