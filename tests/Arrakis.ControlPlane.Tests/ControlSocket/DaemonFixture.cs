using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.ControlPlane.Tests.ControlSocket;

/// <summary>One daemon for all tests of a class that leave it as they found it.</summary>
public sealed class DaemonFixture : IAsyncLifetime
{
    /// <summary>The daemon.</summary>
    public DaemonProcess Daemon { get; private set; } = null!;

    internal int OpenCount => OpenDescriptors.CountOf(Daemon.ProcessId);

    public async ValueTask InitializeAsync() => Daemon = await DaemonProcess.StartAsync(new DaemonSetup
    {
        Functions = 8,
        Limits = "{ \"helloTimeoutSeconds\": 60 }",
    });

    public ValueTask DisposeAsync() => Daemon.DisposeAsync();
}
