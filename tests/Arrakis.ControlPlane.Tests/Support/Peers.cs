using Arrakis.ControlPlane.ControlSocket;
using Arrakis.Native;
using Arrakis.Native.Processes;

namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>Peers as a test needs them; their process is this one.</summary>
internal static class Peers
{
    internal static PeerIdentity Of(uint uid = 1000, uint gid = 1000, IReadOnlyList<uint>? groups = null, string? executable = null) => new(
        Environment.ProcessId,
        uid,
        gid,
        groups ?? [],
        executable ?? "",
        executable is null ? null : FileIdentity.TryRead(executable),
        ProcessDescriptor.Open(Environment.ProcessId));
}
