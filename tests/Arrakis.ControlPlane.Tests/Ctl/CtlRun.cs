using System.Diagnostics;

namespace Arrakis.ControlPlane.Tests.Ctl;

/// <summary>A program that ran to its end.</summary>
internal sealed record CtlRun(int Code, string Output, string Error)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    internal static async Task<CtlRun> StartAsync(string program, IReadOnlyList<string> arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> error = process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync().WaitAsync(s_patience);
            return new CtlRun(process.ExitCode, await output, await error);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }
    }
}
