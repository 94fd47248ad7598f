using System.Diagnostics;
using System.Globalization;
using System.Text;
using Arrakis.Native.Processes;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;

namespace Arrakis.TestBed.Dpdk;

/// <summary>DPDK's own test program, with one port or more, spoken to through its command line.</summary>
public sealed class Testpmd : IAsyncDisposable
{
    private const string Prompt = "testpmd> ";
    private const string WorkerName = "rte-worker";
    private const int InterruptSignal = 2;
    private const int KillSignal = 9;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);
    private static int s_count;

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();
    private readonly Task _reading;
    private readonly string _prefix;

    private Testpmd(Process process, string prefix)
    {
        _process = process;
        _prefix = prefix;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _output), ReadAsync(process.StandardError, _errors));
    }

    /// <summary>Its prompts and answers so far. What it complains of may come in the middle of them, so that is kept apart.</summary>
    public string Output => TextOf(_output);

    /// <summary>The thread that forwards.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public int ForwardingThread
    {
        get
        {
            string? task = Directory.EnumerateDirectories($"/proc/{_process.Id}/task")
                .FirstOrDefault(static task => File.ReadAllText($"{task}/comm").StartsWith(WorkerName, StringComparison.Ordinal));
            return task is null
                ? throw new InvalidOperationException("dpdk-testpmd has no forwarding thread.")
                : int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Fails if it has ended, with its own words.</summary>
    /// <exception cref="InvalidOperationException">It has.</exception>
    public void ThrowIfExited()
    {
        if (_process.HasExited)
        {
            throw new InvalidOperationException($"dpdk-testpmd ended with code {_process.ExitCode}:\n{Output}\n{TextOf(_errors)}");
        }
    }

    /// <summary>Starts it and waits for its prompt; nothing is forwarded yet.</summary>
    /// <param name="pages">Its hugepages.</param>
    /// <param name="core">Its core.</param>
    /// <param name="device">The port, as an argument of --vdev.</param>
    /// <param name="arguments">Arguments of the program itself.</param>
    public static Task<Testpmd> StartAsync(HugePageFolder pages, int core, string device, params string[] arguments) =>
        StartAsync(pages, core, [device], null, arguments);

    /// <summary>As above, with any number of ports, numbered from 0, in a network namespace where its interfaces are to be there.</summary>
    public static Task<Testpmd> StartAsync(HugePageFolder pages, int core, IReadOnlyList<string> devices, NetworkNamespace? inside, params string[] arguments) =>
        StartWithPortsAsync(pages, core, ["--no-pci", .. devices.SelectMany(static device => new[] { "--vdev", device })], inside, arguments);

    /// <summary>As above, on a PCI function that vfio-pci has.</summary>
    public static Task<Testpmd> StartOnFunctionAsync(HugePageFolder pages, int core, string function, params string[] arguments) =>
        StartWithPortsAsync(pages, core, ["--allow", function], null, arguments);

    /// <summary>Gives a command and returns what it answers.</summary>
    public async Task<string> TellAsync(string command)
    {
        int before = Output.Length;
        await _process.StandardInput.WriteAsync($"{command}\n");
        await _process.StandardInput.FlushAsync();

        // The command is echoed behind the prompt before; the next prompt ends the answer.
        await WaitForAsync(Prompt, before);
        return Output[before..];
    }

    /// <summary>Has it forward in another mode, such as <c>5tswap</c>.</summary>
    public async Task ForwardAsync(string mode)
    {
        _ = await TellAsync("stop");
        _ = await TellAsync($"set fwd {mode}");
        _ = await TellAsync("start");
    }

    /// <summary>Frames that the port has received and sent so far.</summary>
    public async Task<(long Received, long Sent)> CountersAsync()
    {
        TestpmdStatistics statistics = TestpmdStatistics.Parse(await TellAsync("show port stats 0"));
        return (statistics.Received, statistics.Sent);
    }

    /// <summary>Waits for text in the output after a place.</summary>
    public async Task WaitForAsync(string text, int after)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!Output.AsSpan(after).Contains(text, StringComparison.Ordinal))
        {
            if (_process.HasExited || TimeProvider.System.GetElapsedTime(start) > s_patience)
            {
                throw new InvalidOperationException($"dpdk-testpmd never wrote '{text}':\n{Output}\n{TextOf(_errors)}");
            }

            await Task.Delay(10);
        }
    }

    /// <summary>Kills it at once.</summary>
    public async Task KillAsync()
    {
        Signal(KillSignal);
        await _process.WaitForExitAsync();
    }

    /// <summary>Interrupts it, as Ctrl-C would; kills it where that does not help.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            Signal(InterruptSignal);
            using var grace = new CancellationTokenSource(s_grace);
            try
            {
                _process.StandardInput.Close();
                await _process.WaitForExitAsync(grace.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                await KillAsync();
            }
        }

        await _reading;
        _process.Dispose();
        DpdkRuntime.Delete(_prefix);
    }

    private static async Task<Testpmd> StartWithPortsAsync(HugePageFolder pages, int core, IReadOnlyList<string> ports, NetworkNamespace? inside, string[] arguments)
    {
        Prerequisite.Require("dpdk-testpmd", "dpdk-dev");
        string prefix = string.Create(CultureInfo.InvariantCulture, $"arrakis{Environment.ProcessId}n{Interlocked.Increment(ref s_count)}");
        ProcessStartInfo start = new(
            "setsid",
            [
                .. inside is null ? [] : new[] { "nsenter", $"--net={inside.Path}" },

                // Its answers leave it line by line, or they would come after the prompt that ends them.
                "stdbuf", "-oL", "dpdk-testpmd", "--lcores", $"0@{core},1@{core}", "--single-file-segments", "--no-telemetry",
                "--socket-mem", "64", "--huge-dir", pages.Pages, "--file-prefix", prefix,
                .. ports, "--", "--interactive", "--total-num-mbufs=8192", "--no-lsc-interrupt", .. arguments,
            ])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[RunMark.Current.Variable] = RunMark.Current.Value;
        var testpmd = new Testpmd(Process.Start(start) ?? throw new InvalidOperationException("dpdk-testpmd did not start."), prefix);
        try
        {
            await testpmd.WaitForAsync(Prompt, 0);
            return testpmd;
        }
        catch
        {
            await testpmd.DisposeAsync();
            throw;
        }
    }

    private void Signal(int signal)
    {
        try
        {
            using ProcessDescriptor process = ProcessDescriptor.Open(_process.Id);
            _ = process.Signal(signal);
        }
        catch (Native.LinuxException)
        {
            // It has ended in between.
        }
    }

    private static string TextOf(StringBuilder text)
    {
        lock (text)
        {
            return text.ToString();
        }
    }

    private static async Task ReadAsync(StreamReader from, StringBuilder to)
    {
        char[] buffer = new char[4096];
        while (await from.ReadAsync(buffer) is > 0 and var read)
        {
            lock (to)
            {
                _ = to.Append(buffer, 0, read);
            }
        }
    }
}
