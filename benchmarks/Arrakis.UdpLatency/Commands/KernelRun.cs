using System.Globalization;
using Arrakis.UdpLatency.Kernel;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Commands;

/// <summary>All rows of kernel sockets.</summary>
internal static class KernelRun
{
    public static async Task MeasureAsync(KernelBaseline kernel, List<LatencyRow> rows, CancellationToken cancellation)
    {
        foreach (int inFlight in MeasurementPlan.InFlight)
        {
            foreach (bool busyPoll in new[] { false, true })
            {
                await Progress.StepAsync($"kernel sockets, {(busyPoll ? "busy-polling" : "blocking")}, {inFlight} in flight", async () =>
                {
                    LatencyRow row = await kernel.MeasureAsync(busyPoll, inFlight, cancellation);
                    rows.Add(row);
                    return string.Create(CultureInfo.InvariantCulture, $"p50 {row.P50} µs, {row.RequestsPerSecond:#,0} requests/s");
                });
            }
        }
    }
}
