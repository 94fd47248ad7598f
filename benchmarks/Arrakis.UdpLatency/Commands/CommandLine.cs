using Arrakis.UdpLatency.Kernel;
using Arrakis.UdpLatency.Machine;
using Arrakis.UdpLatency.Report;
using Spectre.Console;

namespace Arrakis.UdpLatency.Commands;

internal static class CommandLine
{
    public static async Task<int> RunAsync(string[] args)
    {
        _ = args;
        await using var teardown = new Teardown();
        await TraceFileSystem.EnsureAsync(teardown, default);
        KernelBaseline kernel = await KernelBaseline.CreateAsync(new MeasurementPlan(), teardown, default);
        List<LatencyRow> rows = [];
        foreach (int inFlight in new[] { 1, 64 })
        {
            rows.Add(await kernel.MeasureAsync(false, inFlight, default));
            rows.Add(await kernel.MeasureAsync(true, inFlight, default));
        }

        AnsiConsole.Write(LatencyTable.Of(rows));
        return 0;
    }
}
