using System.Globalization;
using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace Arrakis.Plots;

/// <summary>The pictures of a report. Latency is on a logarithmic axis: its logarithms are drawn, and the ticks say what they stand for.</summary>
internal static class LoadPlots
{
    private const int Width = 900;
    private const int Height = 540;
    private const int MostNines = 7;

    /// <summary>Percentiles against offered load.</summary>
    public static Plot Latency(LoadReport report)
    {
        Plot plot = Create($"UDP echo at {report.Target}, {report.PayloadLength} bytes", "offered load, requests/s");
        double[] rates = [.. report.Loads.Select(static load => load.OfferedRps)];
        foreach ((string name, Func<LoadRow, double> figure) in new (string, Func<LoadRow, double>)[]
        {
            ("p50", static load => load.P50Us), ("p99", static load => load.P99Us), ("p99.9", static load => load.P999Us),
            ("p99.99", static load => load.P9999Us), ("max", static load => load.MaxUs),
        })
        {
            Add(plot, name, rates, [.. report.Loads.Select(figure)]);
        }

        return plot;
    }

    /// <summary>The distribution at each load: the nearer to 100 %, the wider the axis.</summary>
    public static Plot Distribution(LoadReport report)
    {
        Plot plot = Create($"UDP echo at {report.Target}, {report.PayloadLength} bytes", "percentile");
        foreach (LoadRow load in report.Loads)
        {
            PercentilePoint[] points = [.. load.Distribution.Where(static point => point.Percentile < 100)];
            string name = load.LoadPercent is { } percent ? string.Create(CultureInfo.InvariantCulture, $"{percent:0.##} %") : string.Create(CultureInfo.InvariantCulture, $"{load.OfferedRps:0}/s");
            Add(plot, name, [.. points.Select(static point => -Math.Log10(1 - point.Percentile / 100))], [.. points.Select(static point => point.Us)]);
        }

        plot.Axes.Bottom.TickGenerator = new NumericManual(
            [.. Enumerable.Range(0, MostNines).Select(static nines => (double)nines)],
            [.. Enumerable.Range(0, MostNines).Select(static nines => (100 - 100 / Math.Pow(10, nines)).ToString("0.#####", CultureInfo.InvariantCulture))]);
        return plot;
    }

    /// <summary>Writes a picture as SVG.</summary>
    public static void Save(this Plot plot, FileInfo file) => File.WriteAllText(file.FullName, plot.GetSvgXml(Width, Height));

    private static Plot Create(string title, string bottom)
    {
        var plot = new Plot();
        plot.Title(title);
        plot.XLabel(bottom);
        plot.YLabel("round trip, µs");
        plot.Axes.Left.TickGenerator = new NumericAutomatic
        {
            IntegerTicksOnly = true,
            LabelFormatter = static exponent => Math.Pow(10, exponent).ToString("0.###", CultureInfo.InvariantCulture),
        };
        plot.ShowLegend(Alignment.UpperLeft);
        return plot;
    }

    private static void Add(Plot plot, string name, double[] across, double[] microseconds)
    {
        Scatter line = plot.Add.Scatter(across, microseconds.Select(static time => Math.Log10(Math.Max(time, 0.001))).ToArray());
        line.LegendText = name;
    }
}
