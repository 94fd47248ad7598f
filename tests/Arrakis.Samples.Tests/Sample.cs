using System.Diagnostics;
using Arrakis.Contract.Control;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.Samples.Tests;

/// <summary>Runs the samples as their users do.</summary>
internal static class Sample
{
    internal const int Interrupt = 2;

    /// <summary>The server's address: the first of the test bed's network that nobody has.</summary>
    internal const string Server = "10.97.0.10";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Starts the echo server and waits until it says that it serves.</summary>
    internal static async Task<ChildProcess> StartEchoAsync(DaemonProcess daemon, string program, params string[] options)
    {
        ChildProcess echo = ChildProcess.Start("UdpEcho", null, program, ["--socket", daemon.ControlSocket, "--address", $"{Server}/24", .. options], ChildEnding.Signal);
        string line = await echo.ReadLineAsync(DaemonProcess.Patience, Cancellation);
        Assert.Contains($"echo on {Server}:", line, StringComparison.Ordinal);
        return echo;
    }

    /// <summary>What the server says when it has ended, and its exit code.</summary>
    internal static async Task<(int ExitCode, string LastLine)> EndAsync(ChildProcess echo)
    {
        string line = await echo.ReadLineAsync(DaemonProcess.Patience, Cancellation);
        return (await echo.WaitForExitAsync(Cancellation).WaitAsync(DaemonProcess.Patience, Cancellation), line);
    }

    /// <summary>The one binding that the daemon has.</summary>
    internal static async Task<BindingDescription> BindingAsync(ArrakisClient client) => Assert.Single(await client.ListBindingsAsync(Cancellation));

    /// <summary>Runs a program to its end.</summary>
    internal static async Task<(int ExitCode, string Output, string Errors)> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(Cancellation);
            Task<string> errors = process.StandardError.ReadToEndAsync(Cancellation);
            await process.WaitForExitAsync(Cancellation).WaitAsync(TimeSpan.FromMinutes(8), Cancellation); // A guard: builds are slow on a busy machine.
            return (process.ExitCode, await output, await errors);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    /// <summary>Has a second process send datagrams to the server, and compare what comes back.</summary>
    internal static async Task PingAsync(DaemonProcess daemon, int count)
    {
        (int exitCode, string output, string errors) = await RunAsync(Programs.UdpPing, $"{Server}:7", "--socket", daemon.ControlSocket, "--count", $"{count}", "--timeout", "60");
        Assert.True(exitCode == 0, $"{output}{errors}{daemon.Log}");
        Assert.Contains($"to {Server}:7: {count} sent, {count} came back the same, 0 corrupt, 0 lost", output, StringComparison.Ordinal);
    }
}
