using System.Diagnostics;
using System.Xml.Linq;

namespace Arrakis.Benchmarks.Tests.Plots;

/// <summary>Runs the drawing program as its users do, in a folder of its own.</summary>
internal sealed class PlotsProgram : IDisposable
{
    private const int LargestPicture = 200_000; // bytes
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    public PlotsProgram() => Folder = Directory.CreateTempSubdirectory("arrakis-plots-").FullName;

    public string Folder { get; }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public string File(string name) => Path.Combine(Folder, name);

    public string Write(string name, string text)
    {
        System.IO.File.WriteAllText(File(name), text);
        return File(name);
    }

    public static (int ExitCode, string Output, string Errors) Run(params string[] arguments)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        string program = Path.Combine(own.Parent!.Parent!.FullName, "Arrakis.Plots", own.Name, "Arrakis.Plots");
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            string output = process.StandardOutput.ReadToEnd();
            Assert.True(process.WaitForExit(s_patience), "It did not end.");
            return (process.ExitCode, output, errors.GetAwaiter().GetResult());
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    /// <summary>The texts of a picture, which is well-formed and small.</summary>
    public string[] TextsOf(string name)
    {
        Assert.InRange(new FileInfo(File(name)).Length, 1, LargestPicture);
        XElement svg = XDocument.Load(File(name)).Root!;
        Assert.Equal("svg", svg.Name.LocalName);
        return [.. svg.Descendants().Where(static element => element.Name.LocalName == "text").Select(static element => element.Value.Trim())];
    }
}
