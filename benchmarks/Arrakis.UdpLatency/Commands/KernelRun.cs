using System.Globalization;
using Arrakis.Measuring.Sessions;
using Arrakis.UdpLatency.Kernel;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Commands;

/// <summary>All rows of kernel sockets.</summary>
internal static class KernelRun
{
    private const int BatchInFlight = 64;

    /// <summary>The rows of .NET's own sockets.</summary>
    public static async Task MeasureAsync(KernelBaseline kernel, List<LatencyRow> rows, CancellationToken cancellation)
    {
        foreach (int inFlight in MeasurementPlan.InFlight)
        {
            await MeasureAsync(kernel, SocketUse.Blocking, "blocking", inFlight, rows, cancellation);
            await MeasureAsync(kernel, SocketUse.BusyPoll, "busy-polling", inFlight, rows, cancellation);
        }
    }

    /// <summary>The row with the most requests a second: many datagrams in a system call.</summary>
    public static Task MeasureBatchAsync(KernelBaseline kernel, List<LatencyRow> rows, CancellationToken cancellation) =>
        MeasureAsync(kernel, SocketUse.Batch, "recvmmsg and sendmmsg", BatchInFlight, rows, cancellation);

    private static Task MeasureAsync(KernelBaseline kernel, SocketUse use, string name, int inFlight, List<LatencyRow> rows, CancellationToken cancellation) =>
        RunLog.StepAsync($"kernel sockets, {name}, {inFlight} in flight", async () =>
        {
            LatencyRow row = await kernel.MeasureAsync(use, inFlight, cancellation);
            rows.Add(row);
            return string.Create(CultureInfo.InvariantCulture, $"p50 {row.P50} µs, {row.RequestsPerSecond:#,0} requests/s");
        });
}
