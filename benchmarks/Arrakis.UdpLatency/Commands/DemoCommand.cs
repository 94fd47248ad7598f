using Arrakis.UdpLatency.Kernel;
using Arrakis.UdpLatency.Machine;
using Arrakis.UdpLatency.Report;
using Spectre.Console;

namespace Arrakis.UdpLatency.Commands;

/// <summary>The demo: what it shows, in order.</summary>
internal static class DemoCommand
{
    public static async Task RunAsync(Session session, string output, bool quick, CancellationToken cancellation)
    {
        _ = quick;
        await TraceFileSystem.EnsureAsync(session.Teardown, cancellation);
        List<LatencyRow> rows = [];
        await KernelRun.MeasureAsync(session, await KernelBaseline.CreateAsync(session.Plan, session.Teardown, cancellation), rows, cancellation);
        AnsiConsole.Write(LatencyTable.Of(rows));
        ReportJson.Write(output, rows);
    }
}
