using Arrakis.TestBed.Daemon;

namespace Arrakis.ControlPlane.Tests.ControlSocket;

/// <summary>One daemon for all tests of a class that leave it as they found it.</summary>
public sealed class DaemonFixture : IAsyncLifetime
{
    /// <summary>The daemon.</summary>
    public DaemonProcess Daemon { get; private set; } = null!;

    /// <summary>Open sockets, memory files, events and processes of the daemon; it opens assemblies when it first needs them.</summary>
    internal int OpenDescriptors => Directory.GetFileSystemEntries($"/proc/{Daemon.ProcessId}/fd").Count(static path =>
        new FileInfo(path).LinkTarget is { } target
        && (target.StartsWith("socket:", StringComparison.Ordinal) || target.StartsWith("anon_inode:", StringComparison.Ordinal) || target.StartsWith("/memfd:", StringComparison.Ordinal)));

    public async ValueTask InitializeAsync() => Daemon = await DaemonProcess.StartAsync(new DaemonSetup
    {
        Functions = 8,
        Limits = "{ \"helloTimeoutSeconds\": 60 }",
    });

    public ValueTask DisposeAsync() => Daemon.DisposeAsync();
}
