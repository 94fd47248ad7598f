using Arrakis.Measuring.Report;
using Arrakis.Measuring.Sessions;
using Arrakis.TestBed.Dpdk;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Kernel;
using Arrakis.UdpLatency.Report;
using Spectre.Console;

namespace Arrakis.UdpLatency.Commands;

/// <summary>The benchmark: alternating pairs of kernel, arrakis and DPDK runs.</summary>
internal static class BenchCommand
{
    public static async Task RunAsync(Session session, string output, int pairs, CancellationToken cancellation)
    {
        KernelBaseline kernel = await KernelBaseline.CreateAsync(session.Plan, session.Teardown, cancellation);
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        var tail = new TailRun(session, pages);
        List<IReadOnlyList<LatencyRow>> measured = [];
        for (int pair = 1; pair <= pairs || (pairs > 2 && pair <= 2 * pairs && PairSummary.FewestLikePairs(measured) < pairs); pair++)
        {
            RunLog.Title(pair <= pairs ? $"Pair {pair} of {pairs}" : $"Pair {pair}: in some of those before, the machine was not the same for both");
            List<LatencyRow> rows = [];
            await KernelRun.MeasureAsync(kernel, rows, cancellation);
            await KernelRun.MeasureBatchAsync(kernel, rows, cancellation);
            await using (DaemonSession daemon = await ArrakisRun.StartDaemonAsync(session, cancellation))
            {
                await tail.MeasureAsync(daemon, pair, rows, cancellation);
                await ArrakisRun.MeasureAsync(session, daemon, [Apis.UdpSocket], rows, cancellation);
            }

            measured.Add(rows);
        }

        IReadOnlyList<BenchmarkRow> summary = PairSummary.Summarize(measured);
        ResultFile.Write(output, summary, ReportJson.Default.IReadOnlyListBenchmarkRow);
        AnsiConsole.Write(LatencyTable.Of([.. summary.Where(row => row.LoadPercent is null)]));
        AnsiConsole.Write(TailTable.Of(summary));
        RunLog.Note($"The same figures are in {output}.");
    }
}
