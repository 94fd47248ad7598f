using System.Diagnostics;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.Native.Processes;

namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>A process that holds bindings and ends when told to.</summary>
internal sealed class Holder : IDisposable
{
    private readonly Process _process = Process.Start(new ProcessStartInfo("cat") { RedirectStandardInput = true })!;

    internal Holder() => Peer = new PeerIdentity(_process.Id, 1000, 1000, [], "/bin/cat", null, ProcessDescriptor.Open(_process.Id));

    internal PeerIdentity Peer { get; }

    /// <summary>Ends the process and waits for it.</summary>
    internal void End()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        End();
        Peer.Dispose();
        _process.Dispose();
    }
}
