using System.Globalization;
using Arrakis.Plots.Drawing;
using ScottPlot;

namespace Arrakis.Plots.Load;

/// <summary>The pictures of a report of <c>arrakisctl bench</c>.</summary>
internal static class LoadPlots
{
    /// <summary>Percentiles against offered load.</summary>
    public static Plot Latency(LoadReport report)
    {
        Plot plot = Create(report, "offered load, requests/s");
        double[] rates = [.. report.Loads.Select(static load => load.OfferedRps)];
        foreach ((string name, Func<LoadRow, double> figure) in new (string, Func<LoadRow, double>)[]
        {
            ("p50", static load => load.P50Us), ("p99", static load => load.P99Us), ("p99.9", static load => load.P999Us),
            ("p99.99", static load => load.P9999Us), ("max", static load => load.MaxUs),
        })
        {
            Add(plot, name, rates, report.Loads.Select(figure));
        }

        return plot;
    }

    /// <summary>The distribution at each load.</summary>
    public static Plot Distribution(LoadReport report)
    {
        Plot plot = Create(report, "percentile");
        plot.UsePercentiles();
        foreach (LoadRow load in report.Loads)
        {
            PercentilePoint[] points = [.. load.Distribution.Where(static point => point.Percentile is >= 0 and < 100)];
            string name = load.LoadPercent is { } percent ? string.Create(CultureInfo.InvariantCulture, $"{percent:0.##} %") : string.Create(CultureInfo.InvariantCulture, $"{load.OfferedRps:0}/s");
            Add(plot, name, [.. points.Select(static point => Picture.Nines(point.Percentile))], points.Select(static point => point.Us));
        }

        return plot;
    }

    private static Plot Create(LoadReport report, string bottom)
    {
        Plot plot = Picture.Create($"UDP echo at {report.Target}, {report.PayloadLength} bytes", bottom, "round trip, µs");
        plot.UseLogarithmsLeft();
        return plot;
    }

    private static void Add(Plot plot, string name, double[] across, IEnumerable<double> microseconds) =>
        plot.Add.Scatter(across, microseconds.Select(Picture.Logarithm).ToArray()).LegendText = name;
}
