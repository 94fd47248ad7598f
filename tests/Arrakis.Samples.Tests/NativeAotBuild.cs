namespace Arrakis.Samples.Tests;

/// <summary>Publishes samples with NativeAOT, into a folder of its own: the build's output, which other tests run, stays as it is.</summary>
public sealed class NativeAotBuild : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-aot-").FullName;

    /// <summary>Publishes one. Returns the program's path.</summary>
    internal async Task<string> PublishAsync(string sample)
    {
        string published = Path.Combine(_folder, "published", sample);
        (int exitCode, string output, string errors) = await Sample.RunAsync(
            "env",
            "MSBUILDDISABLENODEREUSE=1",
            "DOTNET_CLI_USE_MSBUILD_SERVER=0",
            "UseSharedCompilation=false",
            "dotnet",
            "publish",
            Path.Combine(Root(), "samples", sample),
            "-c",
            "Release",
            "-r",
            "linux-x64",
            "-p:PublishAot=true",
            $"-p:ArtifactsPath={_folder}/build",
            "-o",
            published);
        Assert.True(exitCode == 0, output + errors);
        Assert.DoesNotContain("warning", output + errors, StringComparison.OrdinalIgnoreCase);
        return Path.Combine(published, sample);
    }

    /// <summary>Fails if a process runs on the runtime that compiles as it goes.</summary>
    internal static void AssertIsNative(int process) =>
        Assert.DoesNotContain(File.ReadLines($"/proc/{process}/maps"), static line => line.Contains("libcoreclr", StringComparison.Ordinal));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Root()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Arrakis.sln")))
            {
                return at.FullName;
            }
        }

        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} has Arrakis.sln.");
    }
}
