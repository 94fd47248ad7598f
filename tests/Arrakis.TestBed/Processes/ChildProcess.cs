using System.Diagnostics;
using System.Text;
using Arrakis.Native.Processes;

namespace Arrakis.TestBed.Processes;

/// <summary>
/// A process that this one started and ends: in a session of its own (so that Ctrl-C reaches it only through us, in
/// order), with its standard input held open (its end tells our own programs to stop, also if we are killed).
/// </summary>
public sealed class ChildProcess : IAsyncDisposable
{
    /// <summary>The environment variable that names a file to which all that such processes write to standard error is appended in the end.</summary>
    public const string LogVariable = "ARRAKIS_TEST_LOG";

    private const int TerminateSignal = 15;
    private static readonly TimeSpan s_usualGrace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_outputGrace = TimeSpan.FromSeconds(1);

    private readonly Process _process;
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly StringBuilder _errors = new();
    private readonly ChildEnding _ending;
    private readonly TimeSpan _grace;
    private bool _disposed;

    private ChildProcess(string name, Process process, ChildEnding ending, TimeSpan grace)
    {
        Name = name;
        _ending = ending;
        _grace = grace;
        _process = process;
    }

    public string Name { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>It did not end when it was asked to, and was killed.</summary>
    public bool WasKilled { get; private set; }

    /// <summary>What it wrote to standard error so far.</summary>
    public string Errors
    {
        get
        {
            lock (_errors)
            {
                return _errors.ToString().Trim();
            }
        }
    }

    /// <summary>Starts a program.</summary>
    /// <param name="name">What to call it in messages.</param>
    /// <param name="networkNamespace">File of the network namespace to run it in; null runs it in ours.</param>
    /// <param name="program">Path of the program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="ending">How it is asked to end.</param>
    /// <param name="environment">Variables of its environment, beside this process's own.</param>
    /// <param name="grace">How long it has to end before it is killed; 5 s where it is not given.</param>
    public static ChildProcess Start(
        string name,
        string? networkNamespace,
        string program,
        IReadOnlyList<string> arguments,
        ChildEnding ending,
        IReadOnlyDictionary<string, string>? environment = null,
        TimeSpan? grace = null)
    {
        // Both programs replace themselves by the next, so the process has the number that Process knows.
        string[] inNamespace = networkNamespace is null ? [] : ["nsenter", $"--net={networkNamespace}"];
        var start = new ProcessStartInfo("setsid", [.. inNamespace, program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[RunMark.Current.Variable] = RunMark.Current.Value;
        foreach ((string variable, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[variable] = value;
        }

        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        var child = new ChildProcess(name, process, ending, grace ?? s_usualGrace);
        process.Exited += (_, _) => child._exited.TrySetResult();
        process.ErrorDataReceived += child.OnError;
        _ = process.Start();
        process.BeginErrorReadLine();
        return child;
    }

    /// <summary>Its next line of standard output.</summary>
    /// <exception cref="InvalidOperationException">It ended without one; the message has what it wrote to standard error.</exception>
    /// <exception cref="TimeoutException">It said nothing in time.</exception>
    public async Task<string> ReadLineAsync(TimeSpan timeout, CancellationToken cancellation)
    {
        string? line = await _process.StandardOutput.ReadLineAsync(cancellation).AsTask().WaitAsync(timeout, cancellation);
        if (line is not null)
        {
            return line;
        }

        await ExitWithOutputAsync(cancellation);
        throw new InvalidOperationException($"{Name} ended with code {_process.ExitCode}: {Errors}");
    }

    /// <summary>Writes a line to its standard input.</summary>
    public async Task WriteLineAsync(string line, CancellationToken cancellation)
    {
        await _process.StandardInput.WriteLineAsync(line.AsMemory(), cancellation);
        await _process.StandardInput.FlushAsync(cancellation);
    }

    /// <summary>Waits for its end.</summary>
    /// <exception cref="InvalidOperationException">It ended with another code than zero; the message has what it wrote to standard error.</exception>
    public async Task EndsWellAsync(CancellationToken cancellation)
    {
        await ExitWithOutputAsync(cancellation);
        if (_process.ExitCode != 0)
        {
            ThrowIfExited();
        }
    }

    /// <summary>Waits for its end, whatever its code; not for that of processes which it started and which have its output.</summary>
    public async Task<int> WaitForExitAsync(CancellationToken cancellation)
    {
        await _exited.Task.WaitAsync(cancellation);
        return _process.ExitCode;
    }

    /// <summary>Sends it a signal; false where it has ended.</summary>
    public bool Signal(int signal)
    {
        try
        {
            using ProcessDescriptor descriptor = ProcessDescriptor.Open(_process.Id);
            return descriptor.Signal(signal);
        }
        catch (Native.LinuxException)
        {
            return false; // It ended in between.
        }
    }

    /// <summary>Fails if it has ended, with its own words.</summary>
    public void ThrowIfExited()
    {
        if (_process.HasExited)
        {
            throw new InvalidOperationException($"{Name} ended with code {_process.ExitCode}: {Errors}");
        }
    }

    /// <summary>Asks it to end, kills it if it does not, and waits until it has ended.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already: nobody reads the pipe.
        }

        if (_ending == ChildEnding.Signal || !await EndsAsync())
        {
            _ = Signal(TerminateSignal);
            if (!await EndsAsync())
            {
                WasKilled = true;
                _process.Kill(entireProcessTree: true);
                await _exited.Task;
            }
        }

        if (Environment.GetEnvironmentVariable(LogVariable) is { Length: > 0 } log)
        {
            await File.AppendAllTextAsync(log, $"=== {Name}, process {_process.Id}, ended with code {_process.ExitCode}\n{Errors}\n");
        }

        _process.Dispose();
    }

    private async Task<bool> EndsAsync()
    {
        try
        {
            await _exited.Task.WaitAsync(_grace);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task ExitWithOutputAsync(CancellationToken cancellation)
    {
        await _exited.Task.WaitAsync(cancellation);
        using var grace = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        grace.CancelAfter(s_outputGrace);
        try
        {
            await _process.WaitForExitAsync(grace.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Another process has its output still; what it wrote itself is there.
        }
    }

    private void OnError(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is not null)
        {
            lock (_errors)
            {
                _ = _errors.AppendLine(line.Data);
            }
        }
    }
}

/// <summary>How a process is asked to end.</summary>
public enum ChildEnding
{
    /// <summary>By the end of its standard input; by SIGTERM if that does not help.</summary>
    Input,

    /// <summary>By SIGTERM.</summary>
    Signal,
}
