using System.Globalization;
using Arrakis.Measuring.Report;
using Arrakis.Measuring.Sessions;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Report;
using Arrakis.UdpLatency.Soak;

namespace Arrakis.UdpLatency.Commands;

/// <summary>Soaks a native echo server, and fails where something was lost without a reason or memory grew.</summary>
internal static class SoakCommand
{
    public static async Task RunAsync(Session session, string output, int seconds, CancellationToken cancellation)
    {
        SoakReport report;
        await using (DaemonSession daemon = await ArrakisRun.StartDaemonAsync(session, cancellation))
        {
            report = await SoakRun.RunAsync(session.Plan, daemon, TimeSpan.FromSeconds(seconds), cancellation);
        }

        ResultFile.Write(output, report, ReportJson.Default.SoakReport);
        Show(report);
        RunLog.Note($"The same figures are in {output}.");
        if (report.Faults.Count > 0)
        {
            throw new InvalidDataException($"The soak failed: {string.Join(" ", report.Faults)}");
        }
    }

    private static void Show(SoakReport report)
    {
        RunLog.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Sent:#,0} sent, {report.Received:#,0} answered, {report.Lost:#,0} lost ({report.Unexplained:#,0} of them unexplained), {report.Unsent:#,0} never sent, {report.Corrupt} corrupt."));
        RunLog.Note($"Drops that the device counted: {(report.Drops.Count == 0 ? "none" : string.Join(", ", report.Drops.Select(static drop => $"{drop.Key} {drop.Value}")))}.");
        RunLog.Note(string.Create(CultureInfo.InvariantCulture, $"Neighbours: {report.NeighboursBound:#,0} bound, {report.NeighboursRevoked:#,0} of them revoked."));
        foreach (SoakMemory memory in report.Memory)
        {
            RunLog.Note(string.Create(
                CultureInfo.InvariantCulture,
                $"Memory of the {memory.Of}: {memory.FirstKib:#,0} KiB at first, {memory.LastKib:#,0} KiB at last, {memory.SlopeKibPerMinute:+0.0;-0.0;0} KiB a minute in the second half: {(memory.IsFlat ? "flat" : "grows")}."));
        }
    }
}
