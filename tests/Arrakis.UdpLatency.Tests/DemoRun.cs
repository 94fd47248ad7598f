using System.Diagnostics;
using Arrakis.Native.Processes;

namespace Arrakis.UdpLatency.Tests;

/// <summary>A run of the program as a process, with the state of the machine before it.</summary>
internal sealed class DemoRun : IDisposable
{
    private static readonly TimeSpan s_deadlock = TimeSpan.FromMinutes(5);

    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _errors;
    private readonly MachineState _before = MachineState.Read();

    private DemoRun(string name, string[] arguments)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        string program = Path.Combine(own.Parent!.Parent!.FullName, name, own.Name, name);
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        _process = Process.Start(start)!;
        _output = _process.StandardOutput.ReadToEndAsync();
        _errors = _process.StandardError.ReadToEndAsync();
    }

    public static DemoRun Start(params string[] arguments) => new("Arrakis.UdpLatency", arguments);

    /// <summary>Another program that measures in such a session.</summary>
    public static DemoRun StartProgram(string name, params string[] arguments) => new(name, arguments);

    public void Signal(int signal)
    {
        using ProcessDescriptor process = ProcessDescriptor.Open(_process.Id);
        Assert.True(process.Signal(signal), "The run had ended before the signal.");
    }

    /// <summary>Waits for the end, and checks that the machine is as it was before.</summary>
    public async Task<(int ExitCode, string Output)> EndAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(s_deadlock);
        string output = await _output + await _errors;
        Assert.Equal(_before, MachineState.Read());
        return (_process.ExitCode, output);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }

    /// <summary>What a run must leave as it found it.</summary>
    private sealed record MachineState(string Namespaces, string Interfaces, string Folders, string Processes, bool TraceFiles, int HugePages, int FreeHugePages)
    {
        public static MachineState Read() => new(
            List("/run/netns"),
            List("/sys/class/net"),
            string.Join(' ', Directory.EnumerateDirectories("/run", "arrakis-*").Order()),
            string.Join(' ', RunProcesses().Order()),
            Directory.Exists("/sys/kernel/tracing/events"),
            Native.Memory.HugePages.Total,
            Native.Memory.HugePages.Free);

        private static string List(string folder) =>
            Directory.Exists(folder) ? string.Join(' ', Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).Order()) : "";

        private static IEnumerable<string> RunProcesses()
        {
            foreach (string folder in Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0])))
            {
                string environment;
                try
                {
                    environment = File.ReadAllText($"{folder}/environ");
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    continue; // It has ended meanwhile, or it is nobody of ours.
                }

                if (environment.Contains("ARRAKIS_DEMO_RUN=", StringComparison.Ordinal))
                {
                    yield return folder;
                }
            }
        }
    }
}
