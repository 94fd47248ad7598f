using System.Diagnostics;

namespace Arrakis.TestBed.Machine;

/// <summary>A short-lived program, such as ip(8) or mount(8).</summary>
public static class Command
{
    /// <summary>Runs it to its end, also when cancelled meanwhile: half a change of the machine could not be undone.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message has what it wrote to standard error.</exception>
    public static Task RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellation) =>
        ReadAsync(program, arguments, cancellation);

    /// <summary>As <see cref="RunAsync"/>; returns what it wrote to standard output.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message has what it wrote to standard error.</exception>
    public static async Task<string> ReadAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();

        // A session of its own keeps the terminal's Ctrl-C from it.
        var start = new ProcessStartInfo("setsid", ["--wait", program, .. arguments])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        string errors = await process.StandardError.ReadToEndAsync(CancellationToken.None);
        string text = await output;
        await process.WaitForExitAsync(CancellationToken.None);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {errors.Trim()}{text.Trim()}");
        }

        return text;
    }
}
