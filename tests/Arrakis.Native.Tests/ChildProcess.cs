using System.Diagnostics;

namespace Arrakis.Native.Tests;

/// <summary>Runs the child program.</summary>
internal static class ChildProcess
{
    private static readonly string Path = System.IO.Path.GetFullPath(
        System.IO.Path.Combine(AppContext.BaseDirectory, "../../Arrakis.Native.Child", new DirectoryInfo(AppContext.BaseDirectory).Name, "Arrakis.Native.Child"));

    /// <summary>Starts it, its streams redirected.</summary>
    public static Process Start(params string[] arguments) => StartUnder(null, arguments);

    /// <summary>Starts it under another command, such as unshare -n.</summary>
    public static Process StartUnder(string[]? command, params string[] arguments)
    {
        string[] all = [.. command ?? [], Path, .. arguments];
        var start = new ProcessStartInfo(all[0], all[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        return Process.Start(start)!;
    }

    /// <summary>Runs it to its end: exit code (128 + signal where a signal ended it) and what it wrote.</summary>
    public static (int ExitCode, string Output) Run(params string[] arguments) => Finish(Start(arguments));

    /// <summary>Waits for its end.</summary>
    public static (int ExitCode, string Output) Finish(Process process)
    {
        using (process)
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(60_000))
            {
                process.Kill();
                Assert.Fail("The child did not end within a minute.");
            }

            return (process.ExitCode, output.Result + errors.Result);
        }
    }
}
