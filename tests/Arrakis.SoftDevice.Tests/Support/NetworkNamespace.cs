using System.Diagnostics;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>A network namespace of the test's own, by the programs ip and nsenter.</summary>
internal sealed class NetworkNamespace : IDisposable
{
    private static int s_count;

    public NetworkNamespace()
    {
        Name = $"asd{Environment.ProcessId}n{Interlocked.Increment(ref s_count)}";
        Run("ip", "netns", "add", Name);
        RunInside("ip", "link", "set", "lo", "up");
    }

    public string Name { get; }

    /// <summary>Moves an interface in and gives it an address.</summary>
    public void Take(string link, string address)
    {
        Run("ip", "link", "set", link, "netns", Name);
        RunInside("sysctl", "-q", "-w", $"net.ipv6.conf.{link}.disable_ipv6=1");
        RunInside("ip", "address", "add", address, "dev", link);
        RunInside("ip", "link", "set", link, "up");
    }

    public string RunInside(params string[] command) => Run("ip", ["netns", "exec", Name, .. command]);

    public static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        if (!process.WaitForExit(60_000))
        {
            process.Kill();
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} does not end.");
        }

        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {output}{errors.Result}");
    }

    public void Dispose() => _ = Run("ip", "netns", "delete", Name);
}
