using System.Net.Sockets;

namespace Arrakis;

/// <content>Sockets of bindings with several queues.</content>
/// <remarks>
/// Each reactor has ports of its own. A server binds its port on the reactor of every queue, and each serves the flows that the
/// device brings there. A client asks from a port whose answers come home: <see cref="BindFor"/>.
/// </remarks>
public sealed partial class UdpSocket
{
    /// <summary>Binds a free ephemeral port to which a remote end point's datagrams come on this reactor's own queue.</summary>
    /// <param name="reactor">Whose queue is used.</param>
    /// <param name="remote">Who will be spoken to.</param>
    /// <param name="receiveQueueLength">Datagrams that are kept while nobody receives; more are dropped and counted.</param>
    /// <exception cref="SocketException">AddressAlreadyInUse: each such port is taken, or none leads here.</exception>
    /// <exception cref="NotSupportedException">The binding has several queues and its device does not tell how it spreads flows.</exception>
    public static UdpSocket BindFor(Reactor reactor, UdpEndPoint remote, int receiveQueueLength = DefaultReceiveQueueLength)
    {
        ArgumentNullException.ThrowIfNull(reactor);
        return reactor.Nic.QueueOf(remote, 0) is null
            ? throw new NotSupportedException($"Device '{reactor.Nic.Grant.Device}' does not tell how it spreads flows over queues. Bind one queue pair, or the same port on the reactor of each queue.")
            : new UdpSocket(reactor, 0, remote, receiveQueueLength);
    }
}
