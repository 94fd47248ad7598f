using Arrakis.UdpLatency.Kernel;
using Arrakis.UdpLatency.Report;
using Spectre.Console;

namespace Arrakis.UdpLatency.Commands;

/// <summary>The benchmark: alternating pairs of kernel and arrakis runs.</summary>
internal static class BenchCommand
{
    public static async Task RunAsync(Session session, string output, int pairs, CancellationToken cancellation)
    {
        KernelBaseline kernel = await KernelBaseline.CreateAsync(session.Plan, session.Teardown, cancellation);
        List<IReadOnlyList<LatencyRow>> measured = [];
        for (int pair = 1; pair <= pairs; pair++)
        {
            Progress.Title($"Pair {pair} of {pairs}");
            List<LatencyRow> rows = [];
            await KernelRun.MeasureAsync(kernel, rows, cancellation);
            await ArrakisRun.MeasureAsync(session, rows, cancellation);
            measured.Add(rows);
        }

        IReadOnlyList<BenchmarkRow> summary = PairSummary.Summarize(measured);
        ReportJson.Write(output, summary);
        AnsiConsole.Write(LatencyTable.Of(summary));
        Progress.Note($"The same figures are in {output}.");
    }
}
