using System.CommandLine;
using Arrakis.Measuring.Report;
using Arrakis.Measuring.Sessions;
using Arrakis.Native.Threads;
using Arrakis.NvmeCost;
using Arrakis.NvmeCost.Report;
using Spectre.Console;

var output = new Option<string>("--output") { Description = "The result file.", DefaultValueFactory = _ => "artifacts/bench-nvme.json" };
var quick = new Option<bool>("--quick") { Description = "A short form: fewer pairs, less certain figures." };
var pairs = new Option<int?>("--pairs") { Description = "Pairs of runs, Arrakis and C in turn." };
var depth = new Option<int>("--depth") { Description = "Requests in flight.", DefaultValueFactory = _ => 32 };
var core = new Option<int>("--core") { Description = "The core that it runs on.", DefaultValueFactory = _ => 1 };
var root = new RootCommand("What the NVMe driver takes for a request, beside the same in C, against a controller in memory.") { output, quick, pairs, depth, core };
root.SetAction(parsed =>
{
    const int Batches = 20_000;
    PinnedThread.Pin(parsed.GetValue(core));
    var benchmark = new NvmeBenchmark(parsed.GetValue(pairs) ?? (parsed.GetValue(quick) ? 15 : 75), Batches, parsed.GetValue(depth));
    IReadOnlyList<NvmeRow> rows = benchmark.Run(RunLog.Note);
    ResultFile.Write(parsed.GetValue(output)!, rows, NvmeJson.Default.IReadOnlyListNvmeRow);
    AnsiConsole.Write(NvmeRow.Table(rows));
});
return await root.Parse(args).InvokeAsync();
