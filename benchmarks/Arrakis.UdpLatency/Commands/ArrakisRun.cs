using System.Globalization;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Echo;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Commands;

/// <summary>All rows of the rings.</summary>
internal static class ArrakisRun
{
    public static async Task MeasureAsync(Session session, List<LatencyRow> rows, CancellationToken cancellation)
    {
        // The device polls on its core all the while, so it runs only while the kernel's client does not need that core.
        await using DaemonSession daemon = await DaemonSession.StartAsync(session.Plan.ClientCore, "spin", uplink: false, session.Teardown, cancellation);
        foreach (string api in new[] { Apis.Native, Apis.UdpSocket })
        {
            await using ArrakisMeasurement server = await ArrakisMeasurement.StartAsync(session.Plan, daemon, api, cancellation);
            foreach (int inFlight in MeasurementPlan.InFlight)
            {
                await Progress.StepAsync($"arrakis, {api}, {inFlight} in flight", async () =>
                {
                    (LatencyRow row, long lost) = await server.MeasureAsync(inFlight, cancellation);
                    rows.Add(row);
                    return string.Create(CultureInfo.InvariantCulture, $"p50 {row.P50} µs, {row.RequestsPerSecond:#,0} requests/s{(lost == 0 ? "" : $", {lost} lost")}");
                });
            }
        }
    }
}
