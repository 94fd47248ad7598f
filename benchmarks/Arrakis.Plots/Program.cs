using System.CommandLine;
using Arrakis.Plots.Drawing;
using Arrakis.Plots.Load;
using Arrakis.Plots.Pictures;

var root = new RootCommand("Draws as SVG what the benchmarks have measured.") { Load(), Pictures() };
return root.Parse(args).Invoke();

static Command Load()
{
    var report = new Argument<FileInfo>("report") { Description = "The report of arrakisctl bench --output." };
    var latency = new Option<FileInfo>("--latency") { Description = "Draws latency against offered load into this SVG file." };
    var distribution = new Option<FileInfo>("--distribution") { Description = "Draws the distribution at each load into this SVG file." };
    var command = new Command("load", "Draws a report of arrakisctl bench.") { report, latency, distribution };
    command.Validators.Add(result =>
    {
        if (result.GetValue(latency) is null && result.GetValue(distribution) is null)
        {
            result.AddError("Name what to draw: --latency FILE.svg, --distribution FILE.svg, or both.");
        }
    });
    command.SetAction(line => Drawn(() =>
    {
        LoadReport read = LoadReport.Read(line.GetRequiredValue(report));
        if (line.GetValue(latency) is { } latencyFile)
        {
            File.WriteAllText(latencyFile.FullName, LoadPlots.Latency(read).ToSvg());
        }

        if (line.GetValue(distribution) is { } distributionFile)
        {
            File.WriteAllText(distributionFile.FullName, LoadPlots.Distribution(read).ToSvg());
        }
    }));
    return command;
}

static Command Pictures()
{
    var artifacts = new Argument<DirectoryInfo>("artifacts") { Description = "The folder with the benchmarks' result files." };
    var pictures = new Argument<DirectoryInfo>("pictures") { Description = "The folder for the SVG files." };
    var command = new Command("pictures", "Draws the pictures of the pages.") { artifacts, pictures };
    command.SetAction(line => Drawn(() => PictureBook.Draw(line.GetRequiredValue(artifacts), line.GetRequiredValue(pictures), Console.WriteLine)));
    return command;
}

static int Drawn(Action draw)
{
    try
    {
        draw();
        return 0;
    }
    catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
    {
        Console.Error.WriteLine(e.Message);
        return 1;
    }
}
