using System.Globalization;
using Arrakis.Measuring.Machine;
using Arrakis.Measuring.Sessions;
using Arrakis.TestBed.Dpdk;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Dpdk;
using Arrakis.UdpLatency.Echo;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Commands;

/// <summary>The rows that need DPDK: the same loads on its echo server and on the native one, on the same device.</summary>
/// <param name="session">The run.</param>
/// <param name="pages">Hugepages for DPDK.</param>
internal sealed class TailRun(Session session, HugePageFolder pages)
{
    private const int SaturatingInFlight = 64;
    private const int MaxAttempts = 2;
    private static readonly int[] s_percents = [10, 50, 80];

    private readonly Saturation _saturation = new();

    /// <summary>Measures both servers at every load: first the closed loops, which show their saturation.</summary>
    /// <param name="daemon">The daemon of this pair.</param>
    /// <param name="pair">Which pair it is: the seed of its arrivals.</param>
    /// <param name="rows">Takes the rows.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task MeasureAsync(DaemonSession daemon, int pair, List<LatencyRow> rows, CancellationToken cancellation)
    {
        foreach (string api in Servers)
        {
            await using IEchoTarget server = await StartAsync(api, daemon, cancellation);
            foreach (int inFlight in MeasurementPlan.InFlight)
            {
                await MeasureAsync(session, daemon, server, TestLoad.Closed(inFlight), rows, cancellation);
            }

            LatencyRow full = rows.Last(row => row.Api == api && row.InFlight == SaturatingInFlight);
            _saturation.Add(api, full.State, full.RequestsPerSecond);
        }

        foreach (string api in Servers)
        {
            await using IEchoTarget server = await StartAsync(api, daemon, cancellation);
            foreach (int percent in s_percents)
            {
                await MeasureAsync(session, daemon, server, $"open loop at {percent} %", line => TestLoad.Open(percent, _saturation.At(line), pair), rows, cancellation);
            }
        }
    }

    /// <summary>Measures one load and shows it.</summary>
    public static Task MeasureAsync(Session session, DaemonSession daemon, IEchoTarget server, TestLoad load, List<LatencyRow> rows, CancellationToken cancellation) =>
        MeasureAsync(session, daemon, server, load.ToString(), _ => load, rows, cancellation);

    private static Task MeasureAsync(Session session, DaemonSession daemon, IEchoTarget server, string name, Func<double, TestLoad> load, List<LatencyRow> rows, CancellationToken cancellation) =>
        RunLog.StepAsync($"arrakis, {server.Api}, {name}", async () =>
        {
            (LatencyRow row, MachineState state) = await SteadyRun.MakeAsync(
                session.Plan.ServerCore, session.Plan.ClientCore, MaxAttempts, line => TesterMeasurement.MeasureAsync(session.Plan, daemon, server, load(line), cancellation));
            rows.Add(row with { State = state });
            long lost = row.Tail!.Lost;
            return string.Create(CultureInfo.InvariantCulture, $"p50 {row.P50} µs, {row.RequestsPerSecond:#,0} requests/s{(lost == 0 ? "" : $", {lost} lost")}");
        });

    private static string[] Servers => [Apis.Native, Apis.Dpdk];

    private async Task<IEchoTarget> StartAsync(string api, DaemonSession daemon, CancellationToken cancellation) => api == Apis.Dpdk
        ? await TestpmdEcho.StartAsync(session.Plan, daemon, pages, cancellation)
        : await BindingEcho.StartAsync(session.Plan, daemon, api, cancellation);
}
