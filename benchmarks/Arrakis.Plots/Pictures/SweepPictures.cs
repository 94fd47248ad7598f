using System.Globalization;
using Arrakis.Plots.Drawing;
using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace Arrakis.Plots.Pictures;

/// <summary>The pictures of artifacts/bench-nic-sweep.json: throughput against the length of a batch and of a frame.</summary>
internal static class SweepPictures
{
    private const double BitsPerByte = 8;
    private const double MegaPerGiga = 1000;

    private static readonly (string Mode, MarkerShape Filled, MarkerShape Open)[] s_modes =
    [
        ("receive", MarkerShape.FilledCircle, MarkerShape.OpenCircle),
        ("transmit", MarkerShape.FilledSquare, MarkerShape.OpenSquare),
        ("forward", MarkerShape.FilledTriangleUp, MarkerShape.OpenTriangleUp),
    ];

    /// <summary>Frames a second against frames in a batch.</summary>
    /// <exception cref="InvalidDataException">There is no such row.</exception>
    public static Plot Batches(IReadOnlyList<SweepRow> rows, string ring) =>
        Draw(rows, "batch", ring, $"Rate against batch length, {ring} ring, 64-byte frames", "frames in a batch", "million frames/s", static (_, mpps) => mpps);

    /// <summary>Bits a second against bytes of a frame.</summary>
    /// <exception cref="InvalidDataException">There is no such row.</exception>
    public static Plot Frames(IReadOnlyList<SweepRow> rows, string ring) =>
        Draw(rows, "frame", ring, $"Throughput against frame length, {ring} ring, batches of 32", "bytes of a frame", "Gbit/s", static (bytes, mpps) => mpps * bytes * BitsPerByte / MegaPerGiga);

    private static Plot Draw(IReadOnlyList<SweepRow> rows, string sweep, string ring, string title, string bottom, string left, Func<int, double, double> figure)
    {
        SweepRow[] own = [.. rows.Where(row => row.Sweep == sweep && row.Ring == ring && row.Value > 0).OrderBy(static row => row.Value)];
        if (own.Length == 0)
        {
            throw new InvalidDataException($"there is no row for '{title}'");
        }

        Plot plot = Picture.Create(title, bottom, left);
        foreach ((string mode, MarkerShape filled, MarkerShape open) in s_modes)
        {
            SweepRow[] points = [.. own.Where(row => row.Mode == mode)];
            if (points.Length > 0)
            {
                Add(plot, points, $"Arrakis, {mode}", filled, Picture.Colours.Arrakis, row => figure(row.Value, row.ArrakisMpps));
                Add(plot, points, $"DPDK, {mode}", open, Picture.Colours.Dpdk, row => figure(row.Value, row.DpdkMpps));
            }
        }

        int[] values = [.. own.Select(static row => row.Value).Distinct()];
        plot.Axes.Bottom.TickGenerator = new NumericManual(
            [.. values.Select(static value => Math.Log2(value))],
            [.. values.Select(static value => value.ToString(CultureInfo.InvariantCulture))]);
        plot.UseZeroBottom();
        return plot;
    }

    private static void Add(Plot plot, SweepRow[] points, string name, MarkerShape marker, Color colour, Func<SweepRow, double> figure)
    {
        Scatter line = plot.Add.Scatter(points.Select(static row => Math.Log2(row.Value)).ToArray(), points.Select(figure).ToArray(), colour);
        line.LegendText = name;
        line.LineWidth = 2;
        line.MarkerShape = marker;
        line.MarkerSize = 8;
    }
}
