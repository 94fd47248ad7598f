using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Udp;

namespace Arrakis;

/// <summary>
/// A UDP socket on a binding's rings. On its reactor's thread nothing is allocated, queued or locked to send or receive;
/// from another thread the same calls work, by way of the reactor.
/// </summary>
public sealed partial class UdpSocket : IDisposable
{
    /// <summary>Datagrams that a socket keeps unless told otherwise.</summary>
    public const int DefaultReceiveQueueLength = 256;

    private readonly Reactor _reactor;
    private readonly NicQueue _nic;
    private readonly OperationQueue<ReceiveOperation, UdpReceiveFromResult> _waiting = new();
    private readonly DatagramQueue _received;
    private ReceiveOperation? _freeReceives;
    private SendOperation? _freeSends;
    private long _dropped;
    private volatile bool _disposed;

    /// <summary>Binds a port on the current reactor.</summary>
    /// <param name="port">The port; 0 takes a free ephemeral one.</param>
    /// <param name="receiveQueueLength">Datagrams that are kept while nobody receives; more are dropped and counted.</param>
    /// <exception cref="InvalidOperationException">The calling thread is no reactor's.</exception>
    /// <exception cref="SocketException">AddressAlreadyInUse: the port is taken.</exception>
    public UdpSocket(ushort port = 0, int receiveQueueLength = DefaultReceiveQueueLength)
        : this(
            Reactor.Current ?? throw new InvalidOperationException("There is no reactor on this thread; make the socket inside of Reactor.RunAsync, or name the reactor."),
            port,
            receiveQueueLength)
    {
    }

    /// <summary>Binds a port on a reactor, from any thread.</summary>
    /// <param name="reactor">Whose binding is used.</param>
    /// <param name="port">The port; 0 takes a free ephemeral one.</param>
    /// <param name="receiveQueueLength">Datagrams that are kept while nobody receives; more are dropped and counted.</param>
    /// <exception cref="SocketException">AddressAlreadyInUse: the port is taken.</exception>
    public UdpSocket(Reactor reactor, ushort port = 0, int receiveQueueLength = DefaultReceiveQueueLength)
        : this(reactor, port, null, receiveQueueLength)
    {
    }

    private UdpSocket(Reactor reactor, ushort port, UdpEndPoint? remote, int receiveQueueLength)
    {
        ArgumentNullException.ThrowIfNull(reactor);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(receiveQueueLength);
        ThrowIfFailed(reactor);
        _reactor = reactor;
        _nic = reactor.Queue;
        _received = new DatagramQueue(receiveQueueLength);
        LocalEndPoint = new UdpEndPoint(reactor.Nic.Address.Address, reactor.Ports.Bind(this, port, remote));
    }

    /// <summary>The address and port that it is bound to.</summary>
    public UdpEndPoint LocalEndPoint { get; }

    /// <summary>Whether datagrams may be sent to a broadcast address; otherwise that is refused with SocketError.AccessDenied.</summary>
    public bool EnableBroadcast { get; set; }

    /// <summary>Datagrams dropped because nobody received them in time.</summary>
    public long DroppedDatagrams => Volatile.Read(ref _dropped);

    /// <summary>Receives one datagram.</summary>
    /// <param name="buffer">Where its payload goes.</param>
    /// <param name="cancellation">Ends the wait with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="SocketException">
    /// MessageSize: the buffer is too small; it holds the first part, and the rest is lost, as <see cref="Socket"/> documents it.
    /// OperationAborted: the socket, its reactor or its binding was disposed meanwhile.
    /// </exception>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding.</exception>
    /// <exception cref="RingCorruptException">The device has broken the rings.</exception>
    /// <exception cref="ObjectDisposedException">The socket is disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ValueTask<UdpReceiveFromResult> ReceiveFromAsync(Memory<byte> buffer, CancellationToken cancellation = default)
    {
        if (!_reactor.IsCurrent)
        {
            return ReceiveElsewhere(buffer, cancellation);
        }

        ObjectDisposedException.ThrowIf(_disposed, this);
        ThrowIfFailed(_reactor);
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<UdpReceiveFromResult>(cancellation);
        }

        if (_received.Count != 0)
        {
            Exception? error = TakeQueued(buffer.Span, out UdpReceiveFromResult result);
            return error is null ? new ValueTask<UdpReceiveFromResult>(result) : ValueTask.FromException<UdpReceiveFromResult>(error);
        }

        ReceiveOperation operation = RentReceive();
        operation.Buffer = buffer;
        _waiting.Enqueue(operation);
        ValueTask<UdpReceiveFromResult> task = operation.Task;
        operation.WatchCancellation(cancellation);
        return task;
    }

    /// <summary>Sends one datagram; completes at once unless the transmit ring is full. Returns its bytes.</summary>
    /// <param name="buffer">The payload; not read any more once the task completes.</param>
    /// <param name="destination">Where it goes.</param>
    /// <param name="cancellation">Ends the wait for room with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="SocketException">
    /// MessageSize: more than <see cref="NicBinding.MaxDatagramLength"/>. NetworkUnreachable: no way there. AccessDenied: a broadcast
    /// address without <see cref="EnableBroadcast"/>. InvalidArgument: port 0. OperationAborted: the socket, its reactor or
    /// its binding was disposed meanwhile.
    /// </exception>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding.</exception>
    /// <exception cref="RingCorruptException">The device has broken the rings.</exception>
    /// <exception cref="ObjectDisposedException">The socket is disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ValueTask<int> SendToAsync(ReadOnlyMemory<byte> buffer, UdpEndPoint destination, CancellationToken cancellation = default)
    {
        if (!_reactor.IsCurrent)
        {
            return SendElsewhere(buffer, destination, cancellation);
        }

        ObjectDisposedException.ThrowIf(_disposed, this);
        ThrowIfFailed(_reactor);
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<int>(cancellation);
        }

        // Behind those that wait already: datagrams of one socket keep their order.
        SendOutcome outcome = _reactor.SendWaiters.Count != 0 ? SendOutcome.NoRoom : Send(buffer.Span, destination);
        if (outcome == SendOutcome.Sent)
        {
            return new ValueTask<int>(buffer.Length);
        }

        return outcome == SendOutcome.NoRoom
            ? WaitForRoom(buffer, destination, cancellation)
            : ValueTask.FromException<int>(ErrorOf(outcome, destination, buffer.Length, segmentSize: 0));
    }

    /// <summary>Sends one datagram; completes at once unless the transmit ring is full. Returns its bytes.</summary>
    /// <inheritdoc cref="SendToAsync(ReadOnlyMemory{byte}, UdpEndPoint, CancellationToken)"/>
    public ValueTask<int> SendToAsync(ReadOnlyMemory<byte> buffer, IPEndPoint destination, CancellationToken cancellation = default) =>
        SendToAsync(buffer, UdpEndPoint.From(destination), cancellation);

    /// <summary>Closes the socket and frees its port; pending operations end with SocketError.OperationAborted.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_reactor.IsCurrent)
        {
            Close();
        }
        else
        {
            _reactor.Post(static socket => ((UdpSocket)socket!).Close(), this);
        }
    }
}
