using System.Globalization;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;

namespace Arrakis.UdpLatency.Daemon;

/// <summary>A daemon of our own with its software device, and our conversation with it.</summary>
internal sealed class DaemonSession : IAsyncDisposable
{
    private readonly DaemonProcess _daemon;

    private DaemonSession(DaemonProcess daemon, ArrakisClient client)
    {
        _daemon = daemon;
        Client = client;
    }

    /// <summary>The control socket.</summary>
    public string ControlSocket => _daemon.ControlSocket;

    /// <summary>Our conversation with the daemon, as an administrator.</summary>
    public ArrakisClient Client { get; }

    /// <summary>The daemon's process.</summary>
    public int ProcessId => _daemon.ProcessId;

    /// <summary>The device's management socket.</summary>
    public string ManagementSocket => _daemon.ManagementSocket;

    /// <summary>The virtual function that the daemon hands out last.</summary>
    public static int LastFunction => new DaemonSetup().Functions - 1;

    /// <summary>Whether it has been ended.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>What the daemon and its device have logged.</summary>
    public string Log => _daemon.Log;

    /// <summary>The kernel's interface on the device's uplink.</summary>
    public static string Uplink => string.Create(CultureInfo.InvariantCulture, $"arr{Environment.ProcessId}");

    /// <summary>Where a front end reaches a virtual function.</summary>
    public string FunctionSocket(int function) => Path.Combine(Path.GetDirectoryName(ManagementSocket)!, $"vf{function}.sock");

    /// <summary>Starts the daemon and waits until its device is up. It ends with the teardown at the latest.</summary>
    public static async Task<DaemonSession> StartAsync(int core, string idle, bool uplink, Teardown teardown, CancellationToken cancellation)
    {
        var setup = new DaemonSetup
        {
            SocketMode = "0600",
            Network = DemoNetwork.Prefix,
            Core = core,
            Idle = idle,
            Uplink = uplink ? Uplink : null,

            // Device and server have all cores of a small machine: what a daemon that has just started compiles in the
            // background for a second or two stalls one of them for a scheduler's time slice, milliseconds.
            Environment = new Dictionary<string, string> { ["DOTNET_TieredCompilation"] = "0" },
        };
        DaemonProcess daemon = await DaemonProcess.StartAsync(setup, cancellation);
        teardown.Add("end the daemon", async () => await daemon.DisposeAsync());
        return new DaemonSession(daemon, await daemon.ConnectAsync(cancellation));
    }

    /// <summary>Ends the daemon, and with it the device.</summary>
    public async ValueTask DisposeAsync()
    {
        HasEnded = true;
        await Client.DisposeAsync();
        await _daemon.DisposeAsync();
    }
}
