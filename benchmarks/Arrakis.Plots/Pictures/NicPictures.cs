using System.Globalization;
using Arrakis.Plots.Drawing;
using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace Arrakis.Plots.Pictures;

/// <summary>The pictures of artifacts/bench-nic.json: bars beside DPDK's, with a line from the smallest to the largest of the pairs.</summary>
internal static class NicPictures
{
    private const double BarWidth = 0.36;

    /// <summary>Million frames a second.</summary>
    /// <exception cref="InvalidDataException">There is no row.</exception>
    public static Plot Rates(IReadOnlyList<NicRow> rows) =>
        Draw(rows, "Ring engine beside DPDK's virtio-user driver, 64-byte frames: rate", "million frames/s", ("arrakis_mpps", static row => row.ArrakisMpps), ("dpdk_mpps", static row => row.DpdkMpps));

    /// <summary>Busy cycles a frame.</summary>
    /// <exception cref="InvalidDataException">There is no row.</exception>
    public static Plot Cycles(IReadOnlyList<NicRow> rows) =>
        Draw(rows, "Ring engine beside DPDK's virtio-user driver, 64-byte frames: work", "busy cycles (TSC) a frame", ("arrakis_cycles", static row => row.ArrakisCycles), ("dpdk_cycles", static row => row.DpdkCycles));

    private static Plot Draw(IReadOnlyList<NicRow> rows, string title, string left, (string Name, Func<NicRow, double> Figure) ours, (string Name, Func<NicRow, double> Figure) dpdk)
    {
        if (rows.Count == 0)
        {
            throw new InvalidDataException($"there is no row for '{title}'");
        }

        Plot plot = Picture.Create(title, "ring and mode", left, Alignment.UpperRight);
        AddBars(plot, rows, "Arrakis", -BarWidth / 2, Picture.Colours.Arrakis, ours);
        AddBars(plot, rows, "DPDK", BarWidth / 2, Picture.Colours.Dpdk, dpdk);
        plot.Axes.Bottom.TickGenerator = new NumericManual(
            [.. Enumerable.Range(0, rows.Count).Select(static i => (double)i)],
            [.. rows.Select(static row => $"{row.Ring}, {row.Mode}")]);
        plot.UseZeroBottom();
        plot.HideGrid();
        return plot;
    }

    private static void AddBars(Plot plot, IReadOnlyList<NicRow> rows, string name, double shift, Color colour, (string Name, Func<NicRow, double> Figure) drawn)
    {
        BarPlot bars = plot.Add.Bars(rows.Select((row, i) => new Bar
        {
            Position = i + shift,
            Size = BarWidth,
            Value = drawn.Figure(row),
            FillColor = colour,
            LineWidth = 0,
        }).ToArray());
        bars.LegendText = name;
        for (int i = 0; i < rows.Count; i++)
        {
            double value = drawn.Figure(rows[i]);
            double top = value;
            if (rows[i].Spread is { } spreads && spreads.TryGetValue(drawn.Name, out NicRow.Range spread))
            {
                _ = plot.Add.Line(i + shift, spread.Min, i + shift, spread.Max).Color = Colors.Black;
                top = Math.Max(value, spread.Max);
            }

            Text figure = plot.Add.Text(value.ToString("0.#", CultureInfo.InvariantCulture), i + shift, top);
            figure.LabelAlignment = Alignment.LowerCenter;
        }
    }
}
