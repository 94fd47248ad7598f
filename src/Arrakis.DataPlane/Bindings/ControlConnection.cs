using System.Collections.Concurrent;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Tmds.Linux;

namespace Arrakis;

/// <summary>A reply with the descriptors that travelled beside it; who takes it owns them.</summary>
internal readonly record struct ControlAnswer(ControlReply Reply, IReadOnlyList<Descriptor> Descriptors)
{
    internal void CloseDescriptors()
    {
        foreach (Descriptor descriptor in Descriptors)
        {
            descriptor.Dispose();
        }
    }
}

/// <summary>
/// One conversation with the daemon. Requests may be under way at once: their ids grow in the order of sending, and a
/// reply finds its request by the id. A conversation that breaks stays broken; its owner makes another.
/// </summary>
internal sealed class ControlConnection : IAsyncDisposable
{
    private readonly UnixSocket _socket;
    private readonly Descriptor _writeSide;
    private readonly ReadinessLoop _loop;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _ended = new();
    private readonly ConcurrentDictionary<ulong, TaskCompletionSource<ControlAnswer>> _pending = new();
    private readonly Action<ControlAnswer> _orphan;
    private readonly Task _reading;
    private volatile ArrakisException? _failure;
    private ulong _lastId;

    private ControlConnection(UnixSocket socket, ReadinessLoop loop, Action<ControlAnswer> orphan)
    {
        _socket = socket;
        _writeSide = socket.Descriptor.Duplicate(); // The loop takes one waiter a descriptor; reading has the other.
        _loop = loop;
        _orphan = orphan;
        _reading = ReadAsync();
    }

    /// <summary>Whether requests can no longer be sent.</summary>
    internal bool IsBroken => _failure is not null;

    /// <summary>Connects and says hello.</summary>
    /// <param name="path">The control socket.</param>
    /// <param name="loop">Waits for the socket.</param>
    /// <param name="orphan">Takes replies whose request was given up.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="ArrakisException">Nobody listens, access is denied, or the versions differ.</exception>
    internal static async Task<ControlConnection> OpenAsync(string path, ReadinessLoop loop, Action<ControlAnswer> orphan, CancellationToken cancellation)
    {
        var connection = new ControlConnection(Connect(path), loop, orphan);
        try
        {
            ControlAnswer answer = await connection.RequestAsync(id => new HelloRequest { Id = id, Version = ControlProtocol.Version }, cancellation).ConfigureAwait(false);
            answer.CloseDescriptors();
            if (answer.Reply is HelloReply hello)
            {
                return hello.Version == ControlProtocol.Version ? connection : throw OtherVersion(hello);
            }

            throw Unexpected(answer.Reply);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Sends a request and waits for its reply; an error reply is thrown.</summary>
    internal async Task<ControlAnswer> RequestAsync(Func<ulong, ControlRequest> make, CancellationToken cancellation)
    {
        var source = new TaskCompletionSource<ControlAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        ulong id;
        await _sending.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            id = ++_lastId;
            byte[] packet = MessageCodec.Encode(make(id));
            _pending[id] = source;
            if (_failure is { } broken)
            {
                _ = _pending.TryRemove(id, out _);
                throw broken;
            }

            try
            {
                await SendAsync(packet, cancellation).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                _ = _pending.TryRemove(id, out _);
                if (e is LinuxException)
                {
                    // What the daemon said before it closed, such as TooManyConnections, explains more than EPIPE does.
                    await _reading.ConfigureAwait(false);
                    throw _failure ?? Gone(e);
                }

                throw;
            }
        }
        finally
        {
            _ = _sending.Release();
        }

        await using CancellationTokenRegistration registration = cancellation.UnsafeRegister(
            (_, token) =>
            {
                if (_pending.TryRemove(id, out TaskCompletionSource<ControlAnswer>? abandoned))
                {
                    _ = abandoned.TrySetCanceled(token);
                }
            },
            null);
        ControlAnswer answer = await source.Task.ConfigureAwait(false);
        if (answer.Reply is ErrorReply error)
        {
            answer.CloseDescriptors();
            throw new ArrakisException(error.Code, error.Cause, error.Remedy);
        }

        return answer;
    }

    /// <summary>What to throw at a reply that does not answer the request.</summary>
    internal static ArrakisException Unexpected(ControlReply reply) => new(
        ErrorCode.UnsupportedVersion,
        $"The daemon answered with {reply.GetType().Name}, which does not answer the request.",
        "Install a daemon and a library of the same version.");

    private static ArrakisException OtherVersion(HelloReply hello) => new(
        ErrorCode.UnsupportedVersion,
        $"The daemon {hello.Daemon} speaks version {hello.Version} of the control protocol, this library version {ControlProtocol.Version}.",
        "Install a daemon and a library of the same version.");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync().ConfigureAwait(false);
        _socket.Shutdown();
        await _reading.ConfigureAwait(false);
        _writeSide.Dispose();
        _socket.Dispose();
        _ended.Dispose();
        _sending.Dispose();
    }

    private static UnixSocket Connect(string path)
    {
        try
        {
            return UnixSocket.Connect(path, UnixSocketKind.SequencedPacket);
        }
        catch (LinuxException e)
        {
            string remedy = e.Errno == LibC.EACCES
                ? "Join the group that the socket belongs to, or change the socket's mode in arrakisd.json."
                : e.Errno == LibC.EAGAIN
                    ? "Try again: the daemon has many connections to take."
                    : $"Start the daemon (systemctl start arrakisd), or name another socket in {ControlProtocol.SocketPathVariable}.";
            throw new ArrakisException(ErrorCode.DaemonUnavailable, $"The control socket {path} does not answer: {e.Message}.", remedy, e);
        }
    }

    private async Task SendAsync(byte[] packet, CancellationToken cancellation)
    {
        while (_socket.TrySend(packet) < 0)
        {
            await _loop.WaitAsync(_writeSide, Readiness.Write, cancellation).ConfigureAwait(false);
        }
    }

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        ArrakisException failure;
        try
        {
            while (true)
            {
                await _loop.WaitAsync(_socket.Descriptor, Readiness.Read, _ended.Token).ConfigureAwait(false);
                if (_socket.TryReceive(buffer) is not { } message)
                {
                    continue;
                }

                if (message.Length == 0)
                {
                    message.CloseDescriptors();
                    failure = Gone(null);
                    break;
                }

                if (Deliver(message, buffer) is { } fatal)
                {
                    failure = fatal;
                    break;
                }
            }
        }
        catch (OperationCanceledException)
        {
            failure = Gone(null);
        }
        catch (Exception e) when (e is LinuxException or ObjectDisposedException)
        {
            failure = Gone(e);
        }

        _failure = failure;
        foreach (ulong id in _pending.Keys)
        {
            if (_pending.TryRemove(id, out TaskCompletionSource<ControlAnswer>? source))
            {
                _ = source.TrySetException(failure);
            }
        }
    }

    private ArrakisException? Deliver(ReceivedMessage message, byte[] buffer)
    {
        ControlReply reply;
        try
        {
            if (message.Truncated || message.DescriptorsTruncated)
            {
                throw new ArrakisException(
                    ErrorCode.MessageTooLarge,
                    "A reply of the daemon did not fit.",
                    "Raise the process's limit of open files (ulimit -n).");
            }

            reply = MessageCodec.DecodeReply(buffer.AsSpan(0, message.Length));
        }
        catch (ArrakisException e)
        {
            message.CloseDescriptors();
            return e;
        }

        var answer = new ControlAnswer(reply, message.Descriptors);
        if (reply is ErrorReply { Id: 0 } refusal)
        {
            answer.CloseDescriptors();
            return new ArrakisException(refusal.Code, refusal.Cause, refusal.Remedy); // The connection itself is refused.
        }

        if (!_pending.TryRemove(reply.Id, out TaskCompletionSource<ControlAnswer>? source) || !source.TrySetResult(answer))
        {
            _orphan(answer);
        }

        return null;
    }

    private static ArrakisException Gone(Exception? inner) => new(
        ErrorCode.DaemonUnavailable,
        "The daemon closed the connection.",
        "Bindings go on without it; try again once it runs (systemctl status arrakisd).",
        inner);
}
