using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Arrakis.NicThroughput;
using Arrakis.NicThroughput.FrontEnds;
using Arrakis.NicThroughput.Report;
using Arrakis.Wire.Virtio;
using Spectre.Console;

var output = new Option<string>("--output") { Description = "The result file.", DefaultValueFactory = _ => "artifacts/bench-nic.json" };
var quick = new Option<bool>("--quick") { Description = "A short form: fewer and shorter runs, less certain figures." };
var pairs = new Option<int?>("--pairs") { Description = "Pairs of runs in the same state of the machine, Arrakis and DPDK in turn." };
var mode = new Option<Mode?>("--mode") { Description = "Only this mode." };
var ring = new Option<VirtqueueFormat?>("--ring") { Description = "Only this format of rings." };
var root = new RootCommand("Frames through the ring engine and through DPDK's virtio-user driver, on the same net_vhost back end.") { output, quick, pairs, mode, ring };
root.SetAction(async (parsed, cancellation) =>
{
    bool isQuick = parsed.GetValue(quick);
    var plan = new BenchmarkPlan
    {
        Pairs = parsed.GetValue(pairs) ?? (isQuick ? 1 : 5),
        MaxRuns = isQuick ? 1 : 4 * (parsed.GetValue(pairs) ?? 5),
        Warmup = TimeSpan.FromMilliseconds(isQuick ? 300 : 500),
        Duration = TimeSpan.FromMilliseconds(isQuick ? 500 : 1000),
        BackEndCore = 0,
        FrontEndCore = 1,
    };
    plan = parsed.GetValue(mode) is { } only ? plan with { Modes = [only] } : plan;
    plan = parsed.GetValue(ring) is { } format ? plan with { Rings = [format] } : plan;
    IReadOnlyList<NicRow> rows = await new NicBenchmark(plan).RunAsync(static line => AnsiConsole.WriteLine(line), cancellation);
    string file = parsed.GetValue(output)!;
    Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
    await File.WriteAllTextAsync(file, JsonSerializer.Serialize(rows, NicJson.Default.IReadOnlyListNicRow), cancellation);
    var table = new Table().AddColumns("ring", "mode", "arrakis Mpps", "DPDK Mpps", "ratio", "arrakis cycles", "DPDK cycles", "ratio", "line ns", "pairs");
    foreach (NicRow row in rows)
    {
        string Format(string format, double value) => value.ToString(format, CultureInfo.InvariantCulture);
        table.AddRow(row.Ring, row.Mode, Format("0.0", row.ArrakisMpps), Format("0.0", row.DpdkMpps), Format("0.00", row.Ratio), Format("0.0", row.ArrakisCycles), Format("0.0", row.DpdkCycles), Format("0.00", row.CyclesRatio), Format("0", row.CacheLineNs), Format("0", row.Pairs));
    }

    AnsiConsole.Write(table);
});

// After a signal, a run in progress ends first, and what was made is undone then.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });
