using System.Text.RegularExpressions;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.Packaging.Tests;

public sealed partial class ReadmeExampleTests(PackedCopy packed)
{
    private const int Interrupt = 2;

    [Fact]
    public async Task The_first_example_of_the_readme_builds_unchanged_against_the_packages_and_echoes()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using ConsoleProject project = await ConsoleProject.BuildAsync(ConsoleProject.ReadmeExample(), packed.Packages);
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: cancellation);
        await using ChildProcess example = ChildProcess.Start(
            "Example", null, project.Program, [], ChildEnding.Signal, new Dictionary<string, string> { ["ARRAKIS_SOCKET"] = daemon.ControlSocket });

        Match said = EchoOn().Match(await example.ReadLineAsync(DaemonProcess.Patience, cancellation));

        Assert.True(said.Success);
        string output = await Tool.RunAsync(
            packed.Source, Checkout.BuildEnvironment, Programs.UdpPing, said.Groups[1].Value, "--socket", daemon.ControlSocket, "--count", "100", "--timeout", "60");
        Assert.Contains("100 came back the same", output, StringComparison.Ordinal);
        Assert.True(example.Signal(Interrupt));
        _ = await example.WaitForExitAsync(cancellation).WaitAsync(DaemonProcess.Patience, cancellation);
    }

    [GeneratedRegex(@"^Echo on (\d+\.\d+\.\d+\.\d+:7)$")]
    private static partial Regex EchoOn();
}
