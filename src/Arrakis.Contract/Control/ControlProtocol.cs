namespace Arrakis.Contract.Control;

/// <summary>The rules of the control socket: a Unix SOCK_SEQPACKET socket, one JSON message a packet, descriptors by SCM_RIGHTS.</summary>
/// <remarks>
/// The first request is <see cref="HelloRequest"/>. Ids grow strictly on a connection; each request has exactly one reply
/// with its id. A refused request leaves the connection usable, but for a wrong version and a message too large to read.
/// </remarks>
public static class ControlProtocol
{
    /// <summary>Version of the messages.</summary>
    public const int Version = 1;

    /// <summary>The largest message in bytes.</summary>
    public const int MaxMessageLength = 64 * 1024;

    /// <summary>The most descriptors that a message carries: a grant's two fixed ones, and three for each queue pair.</summary>
    public const int MaxDescriptors = 2 + 3 * MaxQueuePairs;

    /// <summary>The most queue pairs of a binding.</summary>
    public const int MaxQueuePairs = 8;

    /// <summary>Where the daemon listens unless told otherwise.</summary>
    public const string DefaultSocketPath = "/run/arrakis/control.sock";

    /// <summary>The environment variable that names another socket.</summary>
    public const string SocketPathVariable = "ARRAKIS_SOCKET";
}
