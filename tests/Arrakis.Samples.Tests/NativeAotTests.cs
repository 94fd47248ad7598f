using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.Samples.Tests;

public sealed class NativeAotTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-aot-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_sample_published_with_native_aot_has_no_warning_and_serves_both_interfaces()
    {
        string program = await PublishAsync();
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        foreach (string api in (string[])["sockets", "native"])
        {
            await using ChildProcess echo = await Sample.StartEchoAsync(daemon, program, "--api", api);
            Assert.DoesNotContain(File.ReadLines($"/proc/{echo.Id}/maps"), static line => line.Contains("libcoreclr", StringComparison.Ordinal));

            await Sample.PingAsync(daemon, 500);

            Assert.True(echo.Signal(Sample.Interrupt));
            Assert.Equal(0, (await Sample.EndAsync(echo)).ExitCode);
        }
    }

    // Into a folder of its own: the build's output, which other tests run, stays as it is.
    private async Task<string> PublishAsync()
    {
        string published = Path.Combine(_folder, "published");
        (int exitCode, string output, string errors) = await Sample.RunAsync(
            "env",
            "MSBUILDDISABLENODEREUSE=1",
            "DOTNET_CLI_USE_MSBUILD_SERVER=0",
            "UseSharedCompilation=false",
            "dotnet",
            "publish",
            Path.Combine(Root(), "samples", "UdpEcho"),
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
        return Path.Combine(published, "UdpEcho");
    }

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
