using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Udp;

namespace Arrakis;

/// <content>What runs on the reactor's thread.</content>
public sealed partial class UdpSocket
{
    /// <summary>Takes a datagram from the rings: to who waits, or into the queue.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Deliver(ref ReceivedFrame frame)
    {
        if (_waiting.Dequeue() is { } operation)
        {
            _nic.Counters.CountDelivered(1);
            ReadOnlySpan<byte> payload = _nic.Bytes(frame.Buffer, BufferLayout.FrameOffset + frame.PayloadOffset, frame.PayloadLength);
            Exception? error = Copy(payload, operation.Buffer.Span);
            if (error is null)
            {
                operation.Finish(new UdpReceiveFromResult(payload.Length, new UdpEndPoint(frame.Source, frame.SourcePort)));
            }
            else
            {
                operation.Finish(error);
            }

            return;
        }

        Enqueue(ref frame);
    }

    /// <summary>Ends all that waits here.</summary>
    internal void Fail(Exception error)
    {
        while (_received.Count > 0)
        {
            _nic.Sender.Return(_received.Dequeue().Buffer);
        }

        for (int count = _waiting.Count; count > 0 && _waiting.Dequeue() is { } operation; count--)
        {
            operation.Finish(error);
        }
    }

    /// <summary>Sends what waited for room. False if there is still none.</summary>
    internal bool TryFinish(SendOperation operation)
    {
        int length = operation.Buffer.Length;
        int sent = operation.Sent;
        SendOutcome outcome = operation.SegmentSize == 0
            ? _nic.Udp.Send(LocalEndPoint.Port, operation.Destination, operation.Buffer.Span, EnableBroadcast, _nic.Now)
            : _nic.Udp.SendSegments(LocalEndPoint.Port, operation.Destination, operation.Buffer.Span, operation.SegmentSize, EnableBroadcast, _nic.Now, ref sent);
        if (outcome == SendOutcome.NoRoom)
        {
            operation.Sent = sent;
            return false;
        }

        _ = _reactor.SendWaiters.Remove(operation);
        if (outcome == SendOutcome.Sent)
        {
            operation.Finish(length);
        }
        else
        {
            operation.Finish(ErrorOf(outcome, operation.Destination, length, operation.SegmentSize));
        }

        return true;
    }

    /// <summary>Takes a receive out of the queue. False if it is not there.</summary>
    internal bool TryUnqueue(ReceiveOperation operation) => _waiting.Remove(operation);

    /// <summary>Keeps an operation for its next use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Return(ReceiveOperation operation)
    {
        if (_reactor.IsCurrent)
        {
            operation.Next = _freeReceives;
            _freeReceives = operation;
        }
    }

    /// <summary>Keeps an operation for its next use.</summary>
    internal void Return(SendOperation operation)
    {
        if (_reactor.IsCurrent)
        {
            operation.Next = _freeSends;
            _freeSends = operation;
        }
    }

    private static SocketException ErrorOf(SendOutcome outcome, UdpEndPoint destination, int length, int segmentSize) => outcome switch
    {
        SendOutcome.TooLarge => new SocketException(
            (int)SocketError.MessageSize,
            segmentSize == 0 ? $"A payload of {length} bytes does not fit one frame; datagrams are not fragmented."
                : length > MaxSegmentedLength ? $"A payload of {length} bytes is too long to be sent at once; send at most {MaxSegmentedLength}."
                : $"A segment of {segmentSize} bytes does not fit one frame; datagrams are not fragmented."),
        SendOutcome.TooManySegments => new SocketException(
            (int)SocketError.InvalidArgument, $"A payload of {length} bytes is more than {MaxSegments} segments of {segmentSize} bytes; send it in several calls."),
        SendOutcome.BroadcastRefused => new SocketException((int)SocketError.AccessDenied, $"{destination} is a broadcast address; set EnableBroadcast to send there."),
        SendOutcome.PortInvalid => new SocketException((int)SocketError.InvalidArgument, "Port 0 is no destination."),
        _ => new SocketException((int)SocketError.NetworkUnreachable, $"There is no way to {destination}: it is a multicast address, this host itself, or in another network without a gateway."),
    };

    private static void ThrowIfFailed(Reactor reactor)
    {
        if (reactor.Failure is { } failure)
        {
            Throw(failure);
        }
    }

    [DoesNotReturn]
    private static void Throw(Exception failure) => ExceptionDispatchInfo.Throw(failure);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ReceiveOperation RentReceive()
    {
        ReceiveOperation? operation = _freeReceives;
        if (operation is null)
        {
            return new ReceiveOperation(this, _reactor);
        }

        _freeReceives = operation.Next;
        return operation;
    }

    private SendOperation RentSend()
    {
        SendOperation? operation = _freeSends;
        if (operation is null)
        {
            return new SendOperation(this, _reactor);
        }

        _freeSends = operation.Next;
        return operation;
    }

    private void Enqueue(ref ReceivedFrame frame)
    {
        if (_received.IsFull)
        {
            _nic.Counters.Count(DropReason.SocketQueueFull);
            Volatile.Write(ref _dropped, _dropped + 1);
        }
        else if (!_nic.TryTakeForSocket(ref frame))
        {
            _nic.Counters.Count(DropReason.NoBuffer);
            Volatile.Write(ref _dropped, _dropped + 1);
        }
        else
        {
            _nic.Counters.CountDelivered(1);
            _received.Enqueue(new QueuedDatagram(
                frame.Buffer,
                BufferLayout.FrameOffset + frame.PayloadOffset,
                frame.PayloadLength,
                new UdpEndPoint(frame.Source, frame.SourcePort)));
        }
    }

    private Exception? TakeQueued(Span<byte> destination, out UdpReceiveFromResult result)
    {
        QueuedDatagram datagram = _received.Dequeue();
        result = new UdpReceiveFromResult(datagram.PayloadLength, datagram.Source);
        Exception? error = Copy(_nic.Bytes(datagram.Buffer, datagram.PayloadOffset, datagram.PayloadLength), destination);
        _nic.Sender.Return(datagram.Buffer);
        return error;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Exception? Copy(ReadOnlySpan<byte> payload, Span<byte> destination)
    {
        if (payload.Length > destination.Length)
        {
            payload[..destination.Length].CopyTo(destination);
            return TooSmall(payload.Length, destination.Length);
        }

        payload.CopyTo(destination);

        // Memory that was taken away meanwhile reads as zeros, which nobody sent.
        return _nic.IsFaulted ? _nic.RevokedError() : null;
    }

    private static SocketException TooSmall(int payload, int buffer) =>
        new((int)SocketError.MessageSize, $"The datagram has {payload} bytes, the buffer {buffer}; the rest is lost.");

    private SendOutcome Send(ReadOnlySpan<byte> payload, UdpEndPoint destination)
    {
        try
        {
            return _nic.Udp.Send(LocalEndPoint.Port, destination, payload, EnableBroadcast, _nic.Now);
        }
        catch (RingCorruptException e)
        {
            throw _nic.Explain(e);
        }
    }

    private SendOutcome SendSegments(ReadOnlySpan<byte> payload, int segmentSize, UdpEndPoint destination, ref int sent)
    {
        try
        {
            return _nic.Udp.SendSegments(LocalEndPoint.Port, destination, payload, segmentSize, EnableBroadcast, _nic.Now, ref sent);
        }
        catch (RingCorruptException e)
        {
            throw _nic.Explain(e);
        }
    }

    private ValueTask<int> WaitForRoom(ReadOnlyMemory<byte> buffer, UdpEndPoint destination, CancellationToken cancellation, int segmentSize = 0, int sent = 0)
    {
        SendOperation operation = RentSend();
        operation.Buffer = buffer;
        operation.SegmentSize = segmentSize;
        operation.Sent = sent;
        operation.Destination = destination;
        _reactor.SendWaiters.Add(operation);
        ValueTask<int> task = operation.Task;
        operation.WatchCancellation(cancellation);
        return task;
    }

    private void Close()
    {
        _reactor.Ports.Unbind(this, LocalEndPoint.Port);
        Fail(new SocketException((int)SocketError.OperationAborted));
        _reactor.SendWaiters.Abort(this);
    }
}
