using System.Diagnostics;
using System.Text;

namespace Arrakis.Packaging.Tests;

/// <summary>Runs a program to its end; one that fails, fails the test with what it wrote.</summary>
internal static class Tool
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(8); // A deadlock guard: builds are slow on a busy machine.

    internal static async Task<string> RunAsync(string folder, IReadOnlyDictionary<string, string> environment, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        var written = new StringBuilder();
        process.OutputDataReceived += (_, line) => Append(written, line.Data);
        process.ErrorDataReceived += (_, line) => Append(written, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(s_patience);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"'{program} {string.Join(' ', arguments)}' did not end.\n{written}");
        }

        Assert.True(process.ExitCode == 0, $"'{program} {string.Join(' ', arguments)}' ended with {process.ExitCode}.\n{written}");
        return written.ToString();
    }

    private static void Append(StringBuilder written, string? line)
    {
        if (line is not null)
        {
            lock (written)
            {
                _ = written.AppendLine(line);
            }
        }
    }
}
