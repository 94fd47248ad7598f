namespace Arrakis;

/// <summary>A pending <see cref="UdpSocket.ReceiveFromAsync"/>.</summary>
internal sealed class ReceiveOperation(UdpSocket socket, Reactor reactor) : SocketOperation<ReceiveOperation, UdpReceiveFromResult>(reactor)
{
    /// <summary>Where the payload goes.</summary>
    public Memory<byte> Buffer { get; set; }

    protected override bool TryUnqueue() => socket.TryUnqueue(this);

    protected override void OnConsumed()
    {
        Buffer = default;
        socket.Return(this);
    }
}
