using Arrakis.Plots.Drawing;
using Arrakis.Plots.Load;
using ScottPlot;
using ScottPlot.Plottables;

namespace Arrakis.Plots.Pictures;

/// <summary>The pictures of artifacts/bench-udp.json: distributions of round trips.</summary>
internal static class UdpPictures
{
    private const string Ours = "arrakis";

    private static readonly (string Path, string Api, string Name, Color Colour)[] s_lines =
    [
        (Ours, "native", "Arrakis, native", Picture.Colours.Arrakis),
        (Ours, "udp-socket", "Arrakis, UdpSocket", Picture.Colours.ArrakisSockets),
        (Ours, "dpdk-5tswap", "DPDK, testpmd 5tswap", Picture.Colours.Dpdk),
        ("kernel-veth-busy-poll", "sockets-busy-poll", "kernel sockets, busy-polling", Picture.Colours.KernelPolling),
        ("kernel-veth-blocking", "sockets-blocking", "kernel sockets, blocking", Picture.Colours.Kernel),
    ];

    /// <summary>One request in flight: everybody.</summary>
    /// <exception cref="InvalidDataException">No row is of that load.</exception>
    public static Plot OneInFlight(IReadOnlyList<UdpRow> rows) =>
        Draw("UDP echo round trip, one request in flight", [.. rows.Where(static row => row is { LoadPercent: null, InFlight: 1 })]);

    /// <summary>An open loop at half of saturation: Arrakis and DPDK.</summary>
    /// <exception cref="InvalidDataException">No row is of that load.</exception>
    public static Plot HalfLoad(IReadOnlyList<UdpRow> rows) =>
        Draw("UDP echo round trip, open loop at 50 % of saturation", [.. rows.Where(static row => row.LoadPercent == 50)]);

    private static Plot Draw(string title, IReadOnlyList<UdpRow> rows)
    {
        Plot plot = Picture.Create(title, "percentile", "round trip, µs");
        plot.UseLogarithmsLeft();
        plot.UsePercentiles();
        bool isEmpty = true;
        foreach ((string path, string api, string name, Color colour) in s_lines)
        {
            PercentilePoint[] points = [.. rows.FirstOrDefault(row => row.Path == path && row.Api == api)?.Points ?? []];
            if (points.Length == 0)
            {
                continue;
            }

            isEmpty = false;
            Scatter line = plot.Add.Scatter(points.Select(static point => Picture.Nines(point.Percentile)).ToArray(), points.Select(static point => Picture.Logarithm(point.Us)).ToArray(), colour);
            line.LegendText = name;
            line.LineWidth = 2;
        }

        return isEmpty ? throw new InvalidDataException($"there is no row for '{title}'") : plot;
    }
}
