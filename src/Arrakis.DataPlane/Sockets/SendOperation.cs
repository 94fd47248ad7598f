namespace Arrakis;

/// <summary>A pending <see cref="UdpSocket.SendToAsync(ReadOnlyMemory{byte}, UdpEndPoint, CancellationToken)"/>.</summary>
internal sealed class SendOperation(UdpSocket socket, Reactor reactor) : SocketOperation<SendOperation, int>(reactor)
{
    /// <summary>The socket that sends.</summary>
    public UdpSocket Socket => socket;

    /// <summary>The payload.</summary>
    public ReadOnlyMemory<byte> Buffer { get; set; }

    /// <summary>Where it goes.</summary>
    public UdpEndPoint Destination { get; set; }

    protected override bool TryUnqueue() => Reactor.SendWaiters.Remove(this);

    protected override void OnConsumed()
    {
        Buffer = default;
        socket.Return(this);
    }
}
