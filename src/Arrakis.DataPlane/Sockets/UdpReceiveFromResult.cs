namespace Arrakis;

/// <summary>What <see cref="UdpSocket.ReceiveFromAsync"/> received.</summary>
/// <param name="ReceivedBytes">Bytes of payload.</param>
/// <param name="RemoteEndPoint">Who sent them.</param>
public readonly record struct UdpReceiveFromResult(int ReceivedBytes, UdpEndPoint RemoteEndPoint);
