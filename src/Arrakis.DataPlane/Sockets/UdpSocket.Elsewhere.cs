namespace Arrakis;

/// <content>Calls from other threads: posted to the reactor, which completes them.</content>
public sealed partial class UdpSocket
{
    private ValueTask<UdpReceiveFromResult> ReceiveElsewhere(Memory<byte> buffer, CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ThrowIfFailed(_reactor);
        return new ValueTask<UdpReceiveFromResult>(_reactor.RunAsync(() => ReceiveFromAsync(buffer, cancellation).AsTask()));
    }

    private ValueTask<int> SendElsewhere(ReadOnlyMemory<byte> buffer, UdpEndPoint destination, CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ThrowIfFailed(_reactor);
        return new ValueTask<int>(_reactor.RunAsync(() => SendToAsync(buffer, destination, cancellation).AsTask()));
    }

    private ValueTask<int> SendSegmentsElsewhere(ReadOnlyMemory<byte> payload, int segmentSize, UdpEndPoint destination, CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ThrowIfFailed(_reactor);
        return new ValueTask<int>(_reactor.RunAsync(() => SendSegmentsToAsync(payload, segmentSize, destination, cancellation).AsTask()));
    }
}
