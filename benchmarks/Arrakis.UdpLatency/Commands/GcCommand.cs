using System.Globalization;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Echo;
using Arrakis.UdpLatency.Gc;
using Arrakis.UdpLatency.Report;
using Spectre.Console;

namespace Arrakis.UdpLatency.Commands;

/// <summary>Measures what collections of the server's process do to the tail, under each way to set the runtime up.</summary>
internal static class GcCommand
{
    private const int SaturatingInFlight = 64;
    private const int Percent = 50;
    private const double LeastMegabytesPerSecond = 90;

    public static async Task RunAsync(Session session, string output, int runs, CancellationToken cancellation)
    {
        List<GcRow> rows = [];
        await using DaemonSession daemon = await ArrakisRun.StartDaemonAsync(session, cancellation);
        foreach (string api in new[] { Apis.Native, Apis.UdpSocket })
        {
            double saturation = await SaturateAsync(session, daemon, api, cancellation);
            Progress.Title(string.Create(CultureInfo.InvariantCulture, $"{api}: saturated at {saturation:#,0} requests/s"));
            List<GcSample> samples = [];
            for (int run = 1; run <= runs; run++)
            {
                foreach (GcSetup setup in GcSetup.All)
                {
                    await MeasureAsync(session, daemon, api, setup, [TestLoad.Closed(1), TestLoad.Open(Percent, saturation, run)], samples, cancellation);
                }
            }

            rows.AddRange(GcSample.Summarize(samples));
        }

        ReportJson.Write(output, rows);
        AnsiConsole.Write(GcTable.Of(rows));
        Progress.Note($"The same figures are in {output}.");
    }

    private static async Task<double> SaturateAsync(Session session, DaemonSession daemon, string api, CancellationToken cancellation)
    {
        await using BindingEcho server = await BindingEcho.StartAsync(session.Plan, daemon, api, cancellation);
        return (await TesterMeasurement.MeasureAsync(session.Plan, daemon, server, TestLoad.Closed(SaturatingInFlight), cancellation)).RequestsPerSecond;
    }

    private static async Task MeasureAsync(Session session, DaemonSession daemon, string api, GcSetup setup, TestLoad[] loads, List<GcSample> samples, CancellationToken cancellation)
    {
        await using BindingEcho server = await BindingEcho.StartAsync(session.Plan, daemon, api, cancellation, setup);
        foreach (TestLoad load in loads)
        {
            await Progress.StepAsync($"{api}, {setup.Name}, {load}", async () =>
            {
                EchoHealth before = await server.NextHealthAsync(cancellation);
                LatencyRow row = await TesterMeasurement.MeasureAsync(session.Plan, daemon, server, load, cancellation);
                EchoHealth after = await server.NextHealthAsync(cancellation);
                var sample = new GcSample(setup, load, row, before, after);
                if (setup.Noise == NoiseKind.Allocate && sample.MegabytesPerSecond < LeastMegabytesPerSecond)
                {
                    Progress.Warn(string.Create(CultureInfo.InvariantCulture, $"{setup.Name}: only {sample.MegabytesPerSecond:0} MB/s were allocated."));
                }

                samples.Add(sample);
                return string.Create(CultureInfo.InvariantCulture, $"p99.9 {row.P999} µs, max {row.Tail!.Max} µs, {sample.MegabytesPerSecond:0} MB/s, {sample.CollectionsPerSecond:0.0} collections/s");
            });
        }
    }
}
