using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Udp;

namespace Arrakis;

/// <content>Many datagrams in one call.</content>
public sealed partial class UdpSocket
{
    /// <summary>Datagrams that <see cref="SendSegmentsToAsync"/> sends at most.</summary>
    public const int MaxSegments = UdpOutput.MaxSegments;

    /// <summary>Bytes of payload that <see cref="SendSegmentsToAsync"/> sends at most: those of the largest IPv4 datagram.</summary>
    public const int MaxSegmentedLength = UdpOutput.MaxSegmentedPayload;

    /// <summary>
    /// Sends a payload as several datagrams of one size, of which the last may be shorter, as Linux does with UDP_SEGMENT
    /// (udp(7)). Where the grant has <see cref="Wire.Virtio.VirtioFeatures.NetHostUso"/>, the device cuts them (UDP
    /// segmentation offload), otherwise the stack; what arrives is the same. Completes at once unless the transmit ring is full.
    /// Returns the payload's bytes.
    /// </summary>
    /// <remarks>
    /// A neighbour whose hardware address is not known yet is asked for it first; only the last few datagrams wait for the
    /// answer, as with as many calls of <see cref="SendToAsync(ReadOnlyMemory{byte}, UdpEndPoint, CancellationToken)"/>.
    /// </remarks>
    /// <param name="payload">At most <see cref="MaxSegmentedLength"/> bytes in <see cref="MaxSegments"/> datagrams; not read any more once the task completes.</param>
    /// <param name="segmentSize">Bytes of payload in each datagram: 1 to <see cref="NicBinding.MaxDatagramLength"/>.</param>
    /// <param name="destination">Where they go.</param>
    /// <param name="cancellation">Ends the wait for room with <see cref="OperationCanceledException"/>; the first datagrams may have been sent by then.</param>
    /// <exception cref="ArgumentOutOfRangeException">The segment size is not positive.</exception>
    /// <exception cref="SocketException">
    /// MessageSize: segments of more than <see cref="NicBinding.MaxDatagramLength"/>, or a payload of more than
    /// <see cref="MaxSegmentedLength"/>. InvalidArgument: more than <see cref="MaxSegments"/> segments, or port 0. NetworkUnreachable:
    /// no way there. AccessDenied: a broadcast address without <see cref="EnableBroadcast"/>. OperationAborted: the socket, its
    /// reactor or its binding was disposed meanwhile.
    /// </exception>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding.</exception>
    /// <exception cref="RingCorruptException">The device has broken the rings.</exception>
    /// <exception cref="ObjectDisposedException">The socket is disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ValueTask<int> SendSegmentsToAsync(ReadOnlyMemory<byte> payload, int segmentSize, UdpEndPoint destination, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(segmentSize);
        if (!_reactor.IsCurrent)
        {
            return SendSegmentsElsewhere(payload, segmentSize, destination, cancellation);
        }

        ObjectDisposedException.ThrowIf(_disposed, this);
        ThrowIfFailed(_reactor);
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<int>(cancellation);
        }

        // Behind those that wait already: datagrams of one socket keep their order.
        int sent = 0;
        SendOutcome outcome = _reactor.SendWaiters.Count != 0 ? SendOutcome.NoRoom : SendSegments(payload.Span, segmentSize, destination, ref sent);
        if (outcome == SendOutcome.Sent)
        {
            return new ValueTask<int>(payload.Length);
        }

        return outcome == SendOutcome.NoRoom
            ? WaitForRoom(payload, destination, cancellation, segmentSize, sent)
            : ValueTask.FromException<int>(ErrorOf(outcome, destination, payload.Length, segmentSize));
    }
}
