using System.CommandLine;
using Arrakis.Plots;

var report = new Argument<FileInfo>("report") { Description = "The report of arrakisctl bench --output." };
report.AcceptExistingOnly();
var latency = new Option<FileInfo>("--latency") { Description = "Draws latency against offered load into this SVG file." };
var distribution = new Option<FileInfo>("--distribution") { Description = "Draws the distribution at each load into this SVG file." };
var root = new RootCommand("Draws what arrakisctl bench has measured.") { report, latency, distribution };
root.Validators.Add(result =>
{
    if (result.GetValue(latency) is null && result.GetValue(distribution) is null)
    {
        result.AddError("Name what to draw: --latency FILE.svg, --distribution FILE.svg, or both.");
    }
});
root.SetAction(line =>
{
    LoadReport read = LoadReport.Read(line.GetRequiredValue(report));
    if (line.GetValue(latency) is { } latencyFile)
    {
        LoadPlots.Latency(read).Save(latencyFile);
    }

    if (line.GetValue(distribution) is { } distributionFile)
    {
        LoadPlots.Distribution(read).Save(distributionFile);
    }
});
return root.Parse(args).Invoke();
