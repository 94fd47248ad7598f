using System.Globalization;
using Spectre.Console;

namespace Arrakis.NicThroughput.Report;

/// <summary>The result as a table.</summary>
internal static class NicTable
{
    public static Table Of(IReadOnlyList<NicRow> rows)
    {
        var table = new Table().AddColumns("ring", "mode", "arrakis Mpps", "DPDK Mpps", "ratio", "arrakis cycles", "DPDK cycles", "ratio", "cache line ns", "pairs");
        foreach (NicRow row in rows)
        {
            table.AddRow(
                row.Ring,
                row.Mode,
                Text("0.0", row.ArrakisMpps),
                Text("0.0", row.DpdkMpps),
                Text("0.00", row.Ratio),
                Text("0.0", row.ArrakisCycles),
                Text("0.0", row.DpdkCycles),
                Text("0.00", row.CyclesRatio),
                Text("0", row.CacheLineNs),
                Text("0", row.Pairs));
        }

        return table;
    }

    private static string Text(string format, double value) => value.ToString(format, CultureInfo.InvariantCulture);
}
