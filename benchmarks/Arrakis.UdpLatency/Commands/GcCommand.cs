using System.Globalization;
using Arrakis.Measuring.Report;
using Arrakis.Measuring.Sessions;
using Arrakis.UdpEchoServer;
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

    public static async Task RunAsync(Session session, GcPlan plan, string output, CancellationToken cancellation)
    {
        GcSetup[] setups = [.. plan.Setups.Where(setup => !setup.IsNativeAot || session.Plan.NativeAotServer is not null)];
        if (setups.Length < plan.Setups.Count)
        {
            RunLog.Warn("The row of NativeAOT is left out: no server was published with it (make bench-gc does), see --native-aot.");
        }

        List<GcRow> rows = [];
        await using DaemonSession daemon = await ArrakisRun.StartDaemonAsync(session, cancellation);
        foreach (string api in plan.Apis)
        {
            double saturation = await SaturateAsync(session, daemon, api, cancellation);
            RunLog.Title(string.Create(CultureInfo.InvariantCulture, $"{api}: saturated at {saturation:#,0} requests/s"));
            List<GcSample> samples = [];
            for (int run = 1; run <= plan.Runs; run++)
            {
                foreach (GcSetup setup in setups)
                {
                    await MeasureAsync(session, daemon, api, setup, [TestLoad.Closed(1), TestLoad.Open(Percent, saturation, run)], samples, cancellation);
                }
            }

            rows.AddRange(GcSample.Summarize(samples));
        }

        ResultFile.Write(output, rows, ReportJson.Default.IReadOnlyListGcRow);
        AnsiConsole.Write(GcTable.Of(rows));
        RunLog.Note($"The same figures are in {output}.");
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
            await RunLog.StepAsync($"{api}, {setup.Name}, {load}", async () =>
            {
                EchoHealth before = await server.NextHealthAsync(cancellation);
                LatencyRow row = await TesterMeasurement.MeasureAsync(session.Plan, daemon, server, load, cancellation);
                EchoHealth after = await server.NextHealthAsync(cancellation);
                var sample = new GcSample(setup, load, row, before, after);
                if (setup.Noise == NoiseKind.Allocate && sample.MegabytesPerSecond < LeastMegabytesPerSecond)
                {
                    RunLog.Warn(string.Create(CultureInfo.InvariantCulture, $"{setup.Name}: only {sample.MegabytesPerSecond:0} MB/s were allocated."));
                }

                samples.Add(sample);
                return string.Create(CultureInfo.InvariantCulture, $"p99.9 {row.P999} µs, max {row.Tail!.Max} µs, {sample.MegabytesPerSecond:0} MB/s, {sample.CollectionsPerSecond:0.0} collections/s");
            });
        }
    }
}
