using Arrakis.Fuzz;
using SharpFuzz;

FuzzTarget[] targets = Campaign.Targets();
if (args.Length == 0 || args[0] is "-h" or "--help")
{
    Console.WriteLine("""
        fuzz TARGET|all [--seed S] [--seconds N]   mutates the target's corpus for N seconds (60)
        fuzz TARGET --input FILE                   runs one input
        fuzz TARGET --corpus FOLDER                writes the corpus, one file an input
        fuzz TARGET --libfuzzer                    runs under libfuzzer-dotnet, guided by coverage (docs/fuzzing.md)
        """);
    Console.WriteLine($"Targets: {string.Join(", ", targets.Select(target => target.Name))}");
    return args.Length == 0 ? 64 : 0;
}

FuzzTarget[] chosen = args[0] == "all" ? targets : [.. targets.Where(target => target.Name == args[0])];
if (chosen.Length == 0)
{
    Console.Error.WriteLine($"There is no target '{args[0]}'; --help lists them.");
    return 64;
}

if (args.Contains("--libfuzzer"))
{
    Fuzzer.LibFuzzer.Run(chosen[0].Run);
    return 0;
}

if (Option("--input") is { } file)
{
    chosen[0].Run(File.ReadAllBytes(file));
    return 0;
}

if (Option("--corpus") is { } folder)
{
    Directory.CreateDirectory(folder);
    for (int i = 0; i < chosen[0].Corpus.Count; i++)
    {
        File.WriteAllBytes(Path.Combine(folder, $"{chosen[0].Name}-{i}"), chosen[0].Corpus[i]);
    }

    return 0;
}

int seed = int.Parse(Option("--seed") ?? "1");
double seconds = double.Parse(Option("--seconds") ?? "60");
foreach (FuzzTarget target in chosen)
{
    try
    {
        long inputs = Campaign.Run(target, seed, long.MaxValue, TimeSpan.FromSeconds(seconds / chosen.Length));
        Console.WriteLine($"{target.Name}: {inputs} inputs, seed {seed}, no broken promise.");
    }
    catch (FuzzFailureException e)
    {
        string saved = $"{target.Name}-{seed}.input";
        File.WriteAllBytes(saved, e.Input);
        Console.Error.WriteLine($"{e}{Environment.NewLine}The input is in {Path.GetFullPath(saved)}.");
        return 1;
    }
}

return 0;

string? Option(string name)
{
    int at = Array.IndexOf(args, name);
    return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
}
