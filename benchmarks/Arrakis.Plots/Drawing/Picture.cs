using System.Globalization;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace Arrakis.Plots.Drawing;

/// <summary>What all pictures have in common. On a logarithmic axis the logarithms are drawn, and the ticks say what they stand for.</summary>
internal static class Picture
{
    private const int Width = 900;
    private const int Height = 540;
    private const double TopRoom = 1.15;
    private const int MostNines = 7;
    private const string Font = "DejaVu Sans";
    private const string FontsOfReaders = "DejaVu Sans, Verdana, sans-serif"; // The first two are equally wide.
    private const double Least = 0.001; // of what is on a logarithmic axis

    /// <summary>Colours by who is measured; each keeps its own in all pictures.</summary>
    public static class Colours
    {
        public static readonly Color Arrakis = Color.FromHex("#1f5fbf");
        public static readonly Color ArrakisSockets = Color.FromHex("#4fa8d8");
        public static readonly Color Dpdk = Color.FromHex("#d9721a");
        public static readonly Color Kernel = Color.FromHex("#666666");
        public static readonly Color KernelPolling = Color.FromHex("#a0a0a0");
    }

    /// <summary>An empty picture.</summary>
    public static Plot Create(string title, string bottom, string left, Alignment legend = Alignment.UpperLeft)
    {
        var plot = new Plot();
        plot.Font.Set(Font);
        plot.Title(title);
        plot.XLabel(bottom);
        plot.YLabel(left);
        plot.ShowLegend(legend);
        return plot;
    }

    /// <summary>Where a value is on a logarithmic axis.</summary>
    public static double Logarithm(double value) => Math.Log10(Math.Max(value, Least));

    /// <summary>Where a percentile is: the nearer to 100 %, the wider the axis.</summary>
    public static double Nines(double percentile) => -Math.Log10(1 - percentile / 100);

    /// <summary>Makes the left axis one of <see cref="Logarithm"/>.</summary>
    public static void UseLogarithmsLeft(this Plot plot) => plot.Axes.Left.TickGenerator = new NumericAutomatic
    {
        IntegerTicksOnly = true,
        MinorTickGenerator = new LogMinorTickGenerator(),
        LabelFormatter = static exponent => Math.Pow(10, exponent).ToString("0.###", CultureInfo.InvariantCulture),
    };

    /// <summary>Makes the bottom axis one of <see cref="Nines"/>.</summary>
    public static void UsePercentiles(this Plot plot) => plot.Axes.Bottom.TickGenerator = new NumericManual(
        [.. Enumerable.Range(0, MostNines).Select(static nines => (double)nines)],
        [.. Enumerable.Range(0, MostNines).Select(static nines => (100 - 100 / Math.Pow(10, nines)).ToString("0.#####", CultureInfo.InvariantCulture))]);

    /// <summary>Lets the left axis begin at zero, when all is drawn, with room at the top for a legend.</summary>
    public static void UseZeroBottom(this Plot plot)
    {
        plot.Axes.AutoScale();
        plot.Axes.SetLimitsY(0, plot.Axes.GetLimits().Top * TopRoom);
    }

    /// <summary>The picture as SVG.</summary>
    public static string ToSvg(this Plot plot) => plot.GetSvgXml(Width, Height).Replace($"font-family=\"{Font}\"", $"font-family=\"{FontsOfReaders}\"", StringComparison.Ordinal);
}
