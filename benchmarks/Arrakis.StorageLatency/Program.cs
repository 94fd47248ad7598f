using System.CommandLine;
using Arrakis.Measuring.Report;
using Arrakis.Measuring.Sessions;
using Arrakis.StorageLatency;
using Arrakis.StorageLatency.Backings;
using Arrakis.StorageLatency.Report;
using Spectre.Console;

var output = new Option<string>("--output") { Description = "The result file.", DefaultValueFactory = _ => "artifacts/bench-storage.json" };
var quick = new Option<bool>("--quick") { Description = "A short form: one round of short runs, less certain figures." };
var rounds = new Option<int?>("--rounds") { Description = "Rounds; figures are medians over them." };
var core = new Option<int>("--core") { Description = "The core of the application's polling thread.", DefaultValueFactory = _ => 0 };
var deviceCore = new Option<int>("--device-core") { Description = "The core of the device.", DefaultValueFactory = _ => 1 };
var disk = new Option<string>("--disk") { Description = "A folder on the disk that is measured.", DefaultValueFactory = _ => "artifacts" };
var memory = new Option<string>("--memory") { Description = "A folder on tmpfs.", DefaultValueFactory = _ => "/dev/shm" };
var backings = new Option<string[]>("--backing") { Description = "Only these: disk, memory.", AllowMultipleArgumentsPerToken = true };
backings.AcceptOnlyFromAmong("disk", "memory");
var works = new Option<Work[]>("--work") { Description = "Only these.", AllowMultipleArgumentsPerToken = true };
var root = new RootCommand("Storage areas beside the kernel's files, on the machine's disk and in memory.") { output, quick, rounds, core, deviceCore, disk, memory, backings, works };
root.SetAction(parsed =>
{
    bool isShort = parsed.GetValue(quick);
    var benchmark = new StorageBenchmark(
        parsed.GetValue(rounds) ?? (isShort ? 1 : 3), TimeSpan.FromMilliseconds(isShort ? 300 : 1000), parsed.GetValue(core), parsed.GetValue(deviceCore))
    {
        Works = parsed.GetValue(works) is { Length: > 0 } some ? some : Enum.GetValues<Work>(),
    };
    string[] only = parsed.GetValue(backings) is { Length: > 0 } named ? named : ["disk", "memory"];
    var needs = new SessionNeeds
    {
        Cores = [parsed.GetValue(core), parsed.GetValue(deviceCore)],
        CoreOptions = "--core and --device-core",
        HugePages = 8,
        Programs = [new RequiredProgram("fio", "fio"), new RequiredProgram("mkfs.ext4", "e2fsprogs")],
    };
    return MeasuringSession.RunAsync(needs, async (teardown, cancellation) =>
    {
        List<StorageRow> rows = [];
        foreach (string name in only)
        {
            Backing backing = await (name == "disk"
                ? Backing.MakeDiskAsync(parsed.GetValue(disk)!, teardown, cancellation)
                : Backing.MakeMemoryAsync(parsed.GetValue(memory)!, teardown, cancellation));
            await RunLog.StepAsync($"storage on {backing.Name}", async () =>
            {
                rows.AddRange(await benchmark.RunAsync(backing, cancellation));
                return "";
            });
        }

        ResultFile.Write(parsed.GetValue(output)!, rows, StorageJson.Default.IReadOnlyListStorageRow);
        AnsiConsole.Write(StorageTable.Of(rows));
    });
});

// After a signal, a run in progress ends first, and what was made is undone then: the session sees to it.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
