using System.Globalization;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;

namespace Arrakis.UdpLatency.Daemon;

/// <summary>A daemon of our own with its software device, in a folder of its own, and our conversation with it.</summary>
internal sealed class DaemonSession : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);
    private static int s_count;

    private readonly string _folder;
    private ChildProcess? _daemon;
    private ArrakisClient? _client;

    private DaemonSession(string folder) => _folder = folder;

    /// <summary>The control socket.</summary>
    public string ControlSocket => Path.Combine(_folder, DaemonConfiguration.ControlSocket);

    /// <summary>Our conversation with the daemon, as an administrator.</summary>
    public ArrakisClient Client => _client!;

    /// <summary>The kernel's interface on the device's uplink.</summary>
    public static string Uplink => string.Create(CultureInfo.InvariantCulture, $"arr{Environment.ProcessId}");

    /// <summary>Starts the daemon and waits until its device is up. It ends with the teardown at the latest.</summary>
    public static async Task<DaemonSession> StartAsync(int core, string idle, bool uplink, Teardown teardown, CancellationToken cancellation)
    {
        string folder = string.Create(CultureInfo.InvariantCulture, $"/run/arrakis-demo-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}");
        var session = new DaemonSession(folder);
        teardown.Add("end the daemon", async () => await session.DisposeAsync());
        _ = Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        DaemonConfiguration.Write(folder, core, idle, uplink ? Uplink : null);
        session._daemon = ChildProcess.Start("arrakisd", null, Programs.Daemon, ["--config", Path.Combine(folder, DaemonConfiguration.ConfigurationFile)], ChildEnding.Signal);
        session._client = await session.ConnectAsync(cancellation);
        return session;
    }

    /// <summary>Ends the daemon, and with it the device.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
        {
            await _client.DisposeAsync();
            _client = null;
        }

        if (_daemon is not null)
        {
            await _daemon.DisposeAsync();
            _daemon = null;
        }

        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private async Task<ArrakisClient> ConnectAsync(CancellationToken cancellation)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Report.MeasurementPlan.StartTimeout);
        ArrakisClient? client = null;
        try
        {
            while (true)
            {
                _daemon!.ThrowIfExited();
                try
                {
                    client ??= await ArrakisClient.ConnectAsync(ControlSocket, limit.Token);
                    IReadOnlyList<DeviceDescription> devices = await client.ListDevicesAsync(limit.Token);
                    if (devices is [{ Up: true }])
                    {
                        return client;
                    }
                }
                catch (ArrakisException e) when (e.Code == ErrorCode.DaemonUnavailable)
                {
                    // It does not listen yet.
                }

                await Task.Delay(s_pause, limit.Token);
            }
        }
        catch (Exception e)
        {
            if (client is not null)
            {
                await client.DisposeAsync();
            }

            if (e is OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                throw new TimeoutException($"arrakisd did not bring its device up: {_daemon!.Errors}", e);
            }

            throw;
        }
    }
}
