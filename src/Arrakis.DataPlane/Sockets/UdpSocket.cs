using System.Net;

namespace Arrakis;

/// <summary>A UDP socket on a binding's rings. Sends and receives are made on its reactor; from another thread they are posted there.</summary>
public sealed class UdpSocket : IDisposable
{
    /// <summary>Binds a port on the current reactor.</summary>
    /// <param name="port">The port; 0 takes a free ephemeral one.</param>
    public UdpSocket(ushort port = 0) => throw new NotSupportedException();

    /// <summary>Binds a port on a reactor.</summary>
    public UdpSocket(Reactor reactor, ushort port = 0) => throw new NotSupportedException();

    /// <summary>The address and port that it is bound to.</summary>
    public UdpEndPoint LocalEndPoint { get; }

    /// <summary>Whether datagrams may go to a broadcast address.</summary>
    public bool EnableBroadcast { get; set; }

    /// <summary>Receives one datagram.</summary>
    public ValueTask<UdpReceiveFromResult> ReceiveFromAsync(Memory<byte> buffer, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Sends one datagram. Returns its bytes.</summary>
    public ValueTask<int> SendToAsync(ReadOnlyMemory<byte> buffer, UdpEndPoint destination, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Sends one datagram. Returns its bytes.</summary>
    public ValueTask<int> SendToAsync(ReadOnlyMemory<byte> buffer, IPEndPoint destination, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Closes the socket; pending operations end with SocketError.OperationAborted.</summary>
    public void Dispose() => throw new NotSupportedException();
}
