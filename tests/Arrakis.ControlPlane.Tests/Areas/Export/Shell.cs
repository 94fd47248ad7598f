using System.Diagnostics;

namespace Arrakis.ControlPlane.Tests.Areas.Export;

/// <summary>Commands as a user types them.</summary>
internal static class Shell
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    /// <summary>Runs a command as a user; returns its exit code and all that it wrote, without the last line's end.</summary>
    internal static async Task<(int Code, string Text)> RunAsync(uint user, string command)
    {
        var start = new ProcessStartInfo("setpriv", [$"--reuid={user}", $"--regid={user}", "--clear-groups", "bash", "-c", $"exec 2>&1; {command}"])
        {
            RedirectStandardOutput = true,
            Environment = { ["LC_ALL"] = "C" },
        };
        using Process process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(s_limit);
        try
        {
            string text = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, text.TrimEnd('\n'));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"'{command}' did not end.");
        }
    }

    /// <summary>Runs a command that must succeed; returns what it wrote.</summary>
    internal static async Task<string> DoAsync(uint user, string command)
    {
        (int code, string text) = await RunAsync(user, command);
        Assert.True(code == 0, $"'{command}' ended with {code}: {text}");
        return text;
    }

    /// <summary>Runs a command that must fail, saying this.</summary>
    internal static async Task RefuseAsync(uint user, string command, string reason)
    {
        (int code, string text) = await RunAsync(user, command);
        Assert.True(code != 0 && text.Contains(reason, StringComparison.Ordinal), $"'{command}' ended with {code}: {text}");
    }
}
