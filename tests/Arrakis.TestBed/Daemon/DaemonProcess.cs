using System.Globalization;
using System.Text.RegularExpressions;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Native.Fuse;
using Arrakis.TestBed.Processes;

namespace Arrakis.TestBed.Daemon;

/// <summary>A daemon of one's own with its devices, in a folder of its own; it can be killed and started again.</summary>
public sealed partial class DaemonProcess : IAsyncDisposable
{
    internal const string SocketName = "control.sock";
    internal const string PolicyName = "policy.json";
    internal const string AreasName = "areas";
    private const string ConfigurationName = "arrakisd.json";
    private const string MarkVariable = "ARRAKIS_TEST_DAEMON";
    private const int KillSignal = 9;
    private const int HangUpSignal = 1;

    /// <summary>Enough on a machine that is busy with other things.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(10);
    private static int s_count;

    private readonly DaemonSetup _setup;
    private readonly ProcessMark _mark;
    private readonly List<string> _earlierLogs = [];
    private ChildProcess? _process;
    private bool _disposed;

    private DaemonProcess(DaemonSetup setup, string folder)
    {
        _setup = setup;
        Folder = folder;
        _mark = new ProcessMark(MarkVariable, folder);
    }

    /// <summary>Its runtime directory and configuration.</summary>
    public string Folder { get; }

    /// <summary>The control socket.</summary>
    public string ControlSocket => Path.Combine(Folder, SocketName);

    /// <summary>The folder in which storage areas are files, where it shows them.</summary>
    public string AreasFolder => Path.Combine(Folder, AreasName);

    /// <summary>The management socket of the software device.</summary>
    public string ManagementSocket => Path.Combine(Folder, DaemonSetup.Device, "manage.sock");

    /// <summary>Number of the daemon's process.</summary>
    public int ProcessId => _process!.Id;

    /// <summary>What it and its device have logged, earlier lives included.</summary>
    public string Log => string.Join('\n', [.. _earlierLogs, _process?.Errors ?? ""]);

    /// <summary>The keeper's process, the last that was started.</summary>
    public int KeeperProcessId => int.Parse(KeeperStarted().Matches(Log)[^1].Groups[1].Value, CultureInfo.InvariantCulture);

    /// <summary>Processes that the daemon and its lives before started, and itself.</summary>
    public IReadOnlyList<int> Processes => _mark.Living();

    /// <summary>Starts a daemon and waits until its software device is up.</summary>
    public static async Task<DaemonProcess> StartAsync(DaemonSetup? setup = null, CancellationToken cancellation = default)
    {
        string folder = string.Create(CultureInfo.InvariantCulture, $"/run/arrakis-test-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}");
        var daemon = new DaemonProcess(setup ?? new DaemonSetup(), folder);
        try
        {
            _ = Directory.CreateDirectory(folder);
            daemon.WritePolicy(daemon._setup.Policy);
            await File.WriteAllTextAsync(Path.Combine(folder, ConfigurationName), daemon._setup.Configuration(folder), cancellation);
            await daemon.StartAgainAsync(cancellation);
            return daemon;
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }
    }

    /// <summary>A conversation with the daemon.</summary>
    public ValueTask<ArrakisClient> ConnectAsync(CancellationToken cancellation = default) => ArrakisClient.ConnectAsync(ControlSocket, cancellation);

    /// <summary>Replaces the policy file; the daemon reads it when it is told to.</summary>
    public void WritePolicy(string policy) => File.WriteAllText(Path.Combine(Folder, PolicyName), policy);

    /// <summary>Tells it to read the policy again (SIGHUP), and waits until its log has a line with the text.</summary>
    public async Task ReloadAsync(string expectedInLog, CancellationToken cancellation = default)
    {
        int before = Log.Length;
        _process!.Signal(HangUpSignal);
        await UntilAsync(() => Log.AsSpan(before).Contains(expectedInLog, StringComparison.Ordinal), $"a line with '{expectedInLog}' in the log", cancellation);
    }

    /// <summary>Kills the daemon's process, and nothing else (SIGKILL).</summary>
    public async Task KillAsync()
    {
        _process!.Signal(KillSignal);
        await _process.WaitForExitAsync(CancellationToken.None);
        _earlierLogs.Add(_process.Errors);
        await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>Starts the daemon, again after <see cref="KillAsync"/>, and waits until its software device is up.</summary>
    public async Task StartAgainAsync(CancellationToken cancellation = default)
    {
        Dictionary<string, string> environment = new(_setup.Environment) { [_mark.Variable] = _mark.Value };
        _process = ChildProcess.Start("arrakisd", null, Programs.Daemon, ["--config", Path.Combine(Folder, ConfigurationName)], ChildEnding.Signal, environment, Patience);
        await UntilAsync(IsUpAsync, "a device that is up", cancellation);
    }

    /// <summary>Waits for something; fails with the daemon's log if it does not come.</summary>
    public Task UntilAsync(Func<bool> condition, string what, CancellationToken cancellation = default) =>
        UntilAsync(() => Task.FromResult(condition()), what, cancellation);

    /// <summary>Waits for something; fails with the daemon's log if it does not come.</summary>
    public async Task UntilAsync(Func<Task<bool>> condition, string what, CancellationToken cancellation = default)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > Patience)
            {
                throw new TimeoutException($"There was never {what}. The daemon's log:\n{Log}");
            }

            await Task.Delay(s_pause, cancellation);
        }
    }

    /// <summary>Ends the daemon, its devices and its keeper, also those that a killed daemon left.</summary>
    /// <exception cref="TimeoutException">The daemon did not end when it was asked to, so it may have left the machine changed.</exception>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        string? stuck = null;
        if (_process is not null)
        {
            await _process.DisposeAsync();
            stuck = _process.WasKilled ? $"The daemon did not end within {Patience.TotalSeconds} s. Its log:\n{Log}" : null;
        }

        _mark.KillAll();
        while (FuseMount.IsOrphan(AreasFolder))
        {
            FuseMount.Unmount(AreasFolder); // A killed daemon does not.
        }

        Directory.Delete(Folder, recursive: true);
        if (stuck is not null)
        {
            throw new TimeoutException(stuck);
        }
    }

    private async Task<bool> IsUpAsync()
    {
        _process!.ThrowIfExited();
        try
        {
            await using ArrakisClient client = await ConnectAsync();
            IReadOnlyList<DeviceDescription> devices = await client.ListDevicesAsync();
            return devices.Any(device => device.Up && (device.Name == DaemonSetup.Device || !_setup.HasSoftDevice));
        }
        catch (ArrakisException e) when (e.Code == ErrorCode.DaemonUnavailable)
        {
            return false; // It does not listen yet.
        }
    }

    [GeneratedRegex(@"Keeper started: process (\d+)")]
    private static partial Regex KeeperStarted();
}
