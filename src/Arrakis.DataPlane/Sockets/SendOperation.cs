namespace Arrakis;

/// <summary>
/// A pending <see cref="UdpSocket.SendToAsync(ReadOnlyMemory{byte}, UdpEndPoint, CancellationToken)"/> or
/// <see cref="UdpSocket.SendSegmentsToAsync"/>.
/// </summary>
internal sealed class SendOperation(UdpSocket socket, Reactor reactor) : SocketOperation<SendOperation, int>(reactor)
{
    /// <summary>The socket that sends.</summary>
    public UdpSocket Socket => socket;

    /// <summary>The payload.</summary>
    public ReadOnlyMemory<byte> Buffer { get; set; }

    /// <summary>Bytes of payload in each datagram; zero where there is only one.</summary>
    public int SegmentSize { get; set; }

    /// <summary>Bytes of the payload that were sent in segments already.</summary>
    public int Sent { get; set; }

    /// <summary>Where it goes.</summary>
    public UdpEndPoint Destination { get; set; }

    protected override bool TryUnqueue() => Reactor.SendWaiters.Remove(this);

    protected override void OnConsumed()
    {
        Buffer = default;
        socket.Return(this);
    }
}
