using System.CommandLine;
using Arrakis.Measuring.Report;
using Arrakis.Measuring.Sessions;
using Arrakis.NicThroughput;
using Arrakis.NicThroughput.FrontEnds;
using Arrakis.NicThroughput.Report;
using Arrakis.Wire.Rings;
using Spectre.Console;

const int HugePages = 256;
var output = new Option<string>("--output") { Description = "The result file.", DefaultValueFactory = _ => "artifacts/bench-nic.json" };
var quick = new Option<bool>("--quick") { Description = "A short form: fewer and shorter runs, less certain figures." };
var sweep = new Option<bool>("--sweep") { Description = "Lengths of batches and frames instead; writes artifacts/bench-nic-sweep.json unless told otherwise." };
var pairs = new Option<int?>("--pairs") { Description = "Pairs of runs in the same state of the machine, Arrakis and DPDK in turn." };
var mode = new Option<Mode?>("--mode") { Description = "Only this mode." };
var ring = new Option<RingFormat?>("--ring") { Description = "Only this format of rings." };
var backEndCore = new Option<int>("--back-end-core") { Description = "The core of the back end.", DefaultValueFactory = _ => 0 };
var frontEndCore = new Option<int>("--front-end-core") { Description = "The core of the front ends.", DefaultValueFactory = _ => 1 };
var root = new RootCommand("Frames through the ring engine and through DPDK's virtio-user driver, on the same net_vhost back end.") { output, quick, sweep, pairs, mode, ring, backEndCore, frontEndCore };
root.SetAction(parsed =>
{
    bool isShort = parsed.GetValue(quick);
    bool isSweep = parsed.GetValue(sweep);
    int wanted = parsed.GetValue(pairs) ?? (isShort || isSweep ? 1 : 5);
    var plan = new BenchmarkPlan
    {
        Pairs = wanted,
        MaxRuns = isShort ? 1 : 4 * wanted,
        Warmup = TimeSpan.FromMilliseconds(isShort || isSweep ? 300 : 500),
        Duration = TimeSpan.FromMilliseconds(isShort || isSweep ? 500 : 1000),
        BackEndCore = parsed.GetValue(backEndCore),
        FrontEndCore = parsed.GetValue(frontEndCore),
    };
    plan = parsed.GetValue(mode) is { } only ? plan with { Modes = [only] } : plan;
    plan = parsed.GetValue(ring) is { } format ? plan with { Rings = [format] } : plan;
    var needs = new SessionNeeds
    {
        Cores = [plan.BackEndCore, plan.FrontEndCore],
        CoreOptions = "--back-end-core and --front-end-core",
        HugePages = HugePages,
        Programs = SessionNeeds.Dpdk,
    };
    return MeasuringSession.RunAsync(needs, async (_, cancellation) =>
    {
        if (isSweep)
        {
            string file = parsed.GetResult(output)!.Implicit ? "artifacts/bench-nic-sweep.json" : parsed.GetValue(output)!;
            ResultFile.Write(file, await NicSweep.RunAsync(plan, RunLog.Note, cancellation), NicJson.Default.IReadOnlyListSweepRow);
            return;
        }

        IReadOnlyList<NicRow> rows = await new NicBenchmark(plan).RunAsync(RunLog.Note, cancellation);
        ResultFile.Write(parsed.GetValue(output)!, rows, NicJson.Default.IReadOnlyListNicRow);
        AnsiConsole.Write(NicTable.Of(rows));
    });
});

// After a signal, a run in progress ends first, and what was made is undone then: the session sees to it.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
