using System.Text.Json;
using Arrakis.UdpEchoServer;
using Arrakis.UdpLatency.Echo;
using Arrakis.UdpLatency.Gc;
using Arrakis.UdpLatency.Report;
using Spectre.Console;

namespace Arrakis.UdpLatency.Tests;

public sealed class GcSampleTests
{
    [Fact]
    public void Figures_of_the_runtime_are_by_the_time_between_two_looks()
    {
        GcSample sample = Sample("server", TestLoad.Closed(1), p50: 1, max: 9);

        Assert.Equal((100.0, 4.0, 25.0), (sample.MegabytesPerSecond, sample.CollectionsPerSecond, sample.PausedMillisecondsPerSecond));
    }

    [Fact]
    public void A_row_has_the_medians_of_its_runs_but_the_longest_of_all()
    {
        GcRow[] rows =
        [
            .. GcSample.Summarize(
            [
                Sample("quiet", TestLoad.Closed(1), p50: 1, max: 10), Sample("quiet", TestLoad.Open(50, 1000, 1), p50: 7, max: 70),
                Sample("quiet", TestLoad.Closed(1), p50: 3, max: 90), Sample("quiet", TestLoad.Open(50, 1000, 2), p50: 7, max: 70),
                Sample("quiet", TestLoad.Closed(1), p50: 2, max: 20), Sample("server", TestLoad.Closed(1), p50: 5, max: 5),
            ]),
        ];

        Assert.Equal(["quiet, 1 in flight", "quiet, open loop at 50 %", "server, 1 in flight"], rows.Select(static row => $"{row.Setup}, {row.Load}"));
        Assert.Equal((3, 2.0, 90.0, 3L, 100.0), (rows[0].Runs, rows[0].P50, rows[0].Max, rows[0].Lost, rows[0].AllocatedMegabytesPerSecond));
        Assert.Equal("workstation, NoGCRegion", rows[0].Collector);
    }

    [Fact]
    public void The_file_and_the_table_have_every_figure()
    {
        GcRow[] rows = [.. GcSample.Summarize([Sample("quiet", TestLoad.Closed(1), p50: 1.25, max: 1234.5)])];

        JsonElement row = Assert.Single(JsonDocument.Parse(JsonSerializer.Serialize(rows, ReportJson.Default.IReadOnlyListGcRow)).RootElement.EnumerateArray());
        Assert.Equal(
            [
                "setup", "api", "load", "runs", "rps", "p50_us", "p99_us", "p999_us", "p9999_us", "max_us", "lost",
                "allocated_mb_per_second", "collections_per_second", "paused_ms_per_second", "collector",
            ],
            row.EnumerateObject().Select(static member => member.Name));
        using var writer = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 200;
        console.Write(GcTable.Of(rows));
        Assert.All((string[])["quiet", "native", "1 in flight", "1.25", "1,234.5", "100", "25"], figure => Assert.Contains($" {figure} ", writer.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public void Each_setup_has_a_name_and_settings_of_its_own_and_the_first_two_are_controls()
    {
        Assert.Equal(GcSetup.All.Count, GcSetup.All.Select(static setup => setup.Name).Distinct().Count());
        Assert.Equal(
            GcSetup.All.Count,
            GcSetup.All.Select(static setup => (setup.Noise, setup.Mode, setup.IsNativeAot, string.Join(' ', setup.Environment.OrderBy(static variable => variable.Key)))).Distinct().Count());
        Assert.Equal([NoiseKind.None, NoiseKind.Write], GcSetup.All.Take(2).Select(static setup => setup.Noise));
        Assert.All(GcSetup.All.Skip(2), static setup => Assert.Equal(NoiseKind.Allocate, setup.Noise));
        Assert.All(GcSetup.All.SelectMany(static setup => setup.Environment.Keys), static variable => Assert.StartsWith("DOTNET_", variable, StringComparison.Ordinal));
    }

    // Half a second of 100 MB/s, with two collections that take 12.5 ms together.
    private static GcSample Sample(string setup, TestLoad load, double p50, double max) => new(
        GcSetup.All.First(known => known.Name == setup),
        load,
        new LatencyRow(Paths.Arrakis, Apis.Native, load.InFlight, p50, 2 * p50, 3 * p50, 1000, 0) { Tail = new LatencyTail(4 * p50, max, Lost: 1) },
        new EchoHealth(0, 1_000_000, 3, 1.5, 10, "workstation, NoGCRegion"),
        new EchoHealth(0, 51_000_000, 5, 14, 10.5, "workstation, NoGCRegion"));
}
