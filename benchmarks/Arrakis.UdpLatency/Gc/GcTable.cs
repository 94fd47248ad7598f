using System.Globalization;
using Spectre.Console;

namespace Arrakis.UdpLatency.Gc;

/// <summary>What people read; the same figures as in the JSON file.</summary>
internal static class GcTable
{
    public static Table Of(IReadOnlyList<GcRow> rows)
    {
        var table = new Table { Title = new TableTitle("UDP echo while other threads of the server allocate; µs"), Border = TableBorder.Rounded };
        foreach (string name in (string[])["setup", "api", "load", "p50", "p99", "p99.9", "p99.99", "max", "lost", "MB/s", "GCs/s", "paused ms/s"])
        {
            _ = table.AddColumn(name is "setup" or "api" ? new TableColumn(name) : new TableColumn(name).RightAligned());
        }

        foreach (GcRow row in rows)
        {
            _ = table.AddRow(
                row.Setup, row.Api, row.Load,
                Number(row.P50), Number(row.P99), Number(row.P999), Number(row.P9999), Number(row.Max), Number(row.Lost),
                Number(row.AllocatedMegabytesPerSecond), Number(row.CollectionsPerSecond), Number(row.PausedMillisecondsPerSecond));
        }

        return table;
    }

    private static string Number(double value) => value.ToString("#,0.##", CultureInfo.InvariantCulture);
}
