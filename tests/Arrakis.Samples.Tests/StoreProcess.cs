using System.Globalization;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.Samples.Tests;

/// <summary>A key-value server.</summary>
internal sealed class StoreProcess : IAsyncDisposable
{
    private const int KillSignal = 9;
    private readonly ChildProcess _process;

    private StoreProcess(ChildProcess process, string line)
    {
        _process = process;
        Greeting = line;
        Port = int.Parse(line[(line.LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture);
    }

    /// <summary>What it said when it was ready.</summary>
    public string Greeting { get; }

    public int Port { get; }

    public int Id => _process.Id;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Starts one on a file.</summary>
    public static Task<StoreProcess> StartAsync(string file, int megabytes) => StartAsync("--file", file, "--file-size", $"{megabytes}");

    /// <summary>Starts one.</summary>
    public static Task<StoreProcess> StartAsync(params string[] options) => StartProgramAsync(Programs.KvStore, options);

    /// <summary>Starts one that was built otherwise.</summary>
    public static async Task<StoreProcess> StartProgramAsync(string program, params string[] options)
    {
        ChildProcess process = ChildProcess.Start("KvStore", null, program, [.. options, "--listen", "127.0.0.1:0"], ChildEnding.Signal);
        try
        {
            return new StoreProcess(process, await process.ReadLineAsync(DaemonProcess.Patience, Cancellation));
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    public Task<RespClient> ConnectAsync() => RespClient.ConnectAsync(Port, Cancellation);

    /// <summary>Runs redis-cli; returns what it wrote, without the last line's end.</summary>
    public async Task<string> CliAsync(params string[] words)
    {
        (int exitCode, string output, string errors) = await Sample.RunAsync("redis-cli", ["-p", $"{Port}", .. words]);
        Assert.True(exitCode == 0, output + errors);
        return output.TrimEnd('\n');
    }

    /// <summary>Ends it as the kernel does, without a warning.</summary>
    public async Task KillAsync()
    {
        Assert.True(_process.Signal(KillSignal), _process.Errors);
        _ = await _process.WaitForExitAsync(Cancellation).WaitAsync(DaemonProcess.Patience, Cancellation);
    }

    /// <summary>Ends it as Ctrl-C does.</summary>
    public async Task<int> InterruptAsync()
    {
        Assert.True(_process.Signal(Sample.Interrupt));
        return await EndAsync();
    }

    /// <summary>Waits for its end. Returns its exit code.</summary>
    public Task<int> EndAsync() => _process.WaitForExitAsync(Cancellation).WaitAsync(DaemonProcess.Patience, Cancellation);

    /// <summary>Waits for its end with a fault. Returns its exit code and what it said of it.</summary>
    public async Task<(int ExitCode, string Errors)> FailAsync()
    {
        // No more lines come; and all that it wrote to standard error is there then.
        _ = await Assert.ThrowsAsync<InvalidOperationException>(() => _process.ReadLineAsync(DaemonProcess.Patience, Cancellation));
        return (await EndAsync(), _process.Errors);
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
