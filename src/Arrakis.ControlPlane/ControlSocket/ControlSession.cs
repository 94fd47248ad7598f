using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.ControlPlane.Bindings;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.ControlSocket;

/// <summary>
/// One connection and the rules of its messages. Requests are taken in order and answered as they get done, so that a long
/// one, such as a test, does not hold up the next.
/// </summary>
internal sealed class ControlSession : IDisposable
{
    private static readonly TimeSpan s_sendTimeout = TimeSpan.FromSeconds(5);

    private readonly UnixSocket _socket;
    private readonly Descriptor _writeSide;
    private readonly PeerIdentity _peer;
    private readonly IPeerInspector _inspector;
    private readonly RequestHandler _handler;
    private readonly SessionRegistry _registry;
    private readonly ReadinessLoop _loop;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly SemaphoreSlim _room;
    private readonly int _requestsInFlight;
    private readonly CancellationTokenSource _closing;
    private ulong _lastId;

    internal ControlSession(UnixSocket socket, PeerIdentity peer, SessionServices services, CancellationToken stopping)
    {
        _socket = socket;
        _writeSide = socket.Descriptor.Duplicate(); // The loop takes one waiter a descriptor; reading has the other.
        _peer = peer;
        _inspector = services.Inspector;
        _handler = services.Handler;
        _registry = services.Registry;
        _loop = services.Loop;
        _time = services.Time;
        _logger = services.Logger;
        _requestsInFlight = services.RequestsInFlight;
        _room = new SemaphoreSlim(_requestsInFlight, _requestsInFlight);
        _closing = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        ConnectedAt = services.Time.GetTimestamp();
    }

    internal uint UserId => _peer.UserId;

    internal long ConnectedAt { get; }

    /// <summary>Whether hello was said; guarded by the registry.</summary>
    internal bool HasGreeted { get; set; }

    /// <summary>Serves the connection until it closes; requests may still be under way then.</summary>
    internal async Task RunAsync()
    {
        try
        {
            await ReadAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is LinuxException or OperationCanceledException or ObjectDisposedException)
        {
            // The peer has gone, or the session was told to close.
        }

        await _closing.CancelAsync().ConfigureAwait(false);
    }

    /// <summary>Waits until no request is under way any more.</summary>
    internal async Task DrainAsync()
    {
        for (int i = 0; i < _requestsInFlight; i++)
        {
            await _room.WaitAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _writeSide.Dispose();
        _socket.Dispose();
        _peer.Dispose();
        _closing.Dispose();
        _sending.Dispose();
        _room.Dispose();
    }

    /// <summary>Says why, and closes.</summary>
    internal void Refuse(ErrorCode code, string cause, string remedy)
    {
        try
        {
            _ = _socket.TrySend(MessageCodec.Encode(new ErrorReply { Id = 0, Code = code, Cause = cause, Remedy = remedy }));
            _closing.Cancel();
            _socket.Shutdown();
        }
        catch (Exception e) when (e is LinuxException or ObjectDisposedException)
        {
            // It has gone by itself.
        }
    }

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        while (true)
        {
            await _room.WaitAsync(_closing.Token).ConfigureAwait(false);
            bool handed = false;
            try
            {
                ReceivedMessage message = await ReceiveAsync(buffer).ConfigureAwait(false);
                if (message.Length == 0)
                {
                    // The end, or an empty packet, which looks the same: if anyone is there, it is told.
                    message.CloseDescriptors();
                    Refuse(ErrorCode.MalformedMessage, "A message is empty.", "Send one JSON object in each packet.");
                    return;
                }

                (ControlRequest? request, ArrakisException? fault) = Check(message, buffer);
                if (fault is not null)
                {
                    _logger.LogWarning("{Peer}: refused a message: {Code}, {Cause}", _peer, fault.Code, fault.Cause);
                    await SendAsync(ToReply(request?.Id ?? 0, fault)).ConfigureAwait(false);
                    if (fault.Code is ErrorCode.UnsupportedVersion or ErrorCode.MessageTooLarge or ErrorCode.TooManyConnections)
                    {
                        return;
                    }

                    continue;
                }

                handed = true;
                _ = AnswerAsync(request!);
            }
            finally
            {
                if (!handed)
                {
                    _ = _room.Release();
                }
            }
        }
    }

    private async ValueTask<ReceivedMessage> ReceiveAsync(byte[] buffer)
    {
        while (true)
        {
            if (_socket.TryReceive(buffer) is { } message)
            {
                return message;
            }

            await _loop.WaitAsync(_socket.Descriptor, Readiness.Read, _closing.Token).ConfigureAwait(false);
        }
    }

    /// <summary>The rules that hold before a request is looked at (<see cref="ControlProtocol"/>).</summary>
    private (ControlRequest? Request, ArrakisException? Fault) Check(ReceivedMessage message, byte[] buffer)
    {
        message.CloseDescriptors(); // No request carries any.
        if (message.Truncated)
        {
            return (null, new ArrakisException(ErrorCode.MessageTooLarge, $"A message is over {ControlProtocol.MaxMessageLength} bytes.", "Ask for less at a time. The connection is closed."));
        }

        ControlRequest request;
        try
        {
            request = MessageCodec.DecodeRequest(buffer.AsSpan(0, message.Length));
        }
        catch (ArrakisException e)
        {
            return (null, e);
        }

        if (request.Id <= _lastId)
        {
            return (request, new ArrakisException(ErrorCode.Replayed, $"Id {request.Id} is not above {_lastId}, the last one.", "Count ids up from 1 on each connection."));
        }

        _lastId = request.Id;
        if (message.Descriptors.Count > 0 || message.DescriptorsTruncated)
        {
            return (request, new ArrakisException(ErrorCode.WrongDescriptors, $"{message.Descriptors.Count} descriptors came with a request that takes none; they are closed.", "Send the request without descriptors."));
        }

        return request is HelloRequest hello ? (request, CheckHello(hello)) : (request, HasGreeted
            ? null
            : new ArrakisException(ErrorCode.OutOfOrder, "The first request is not hello.", "Say hello first."));
    }

    private ArrakisException? CheckHello(HelloRequest hello)
    {
        if (HasGreeted)
        {
            return new ArrakisException(ErrorCode.OutOfOrder, "Hello was said before on this connection.", "Say it once.");
        }

        return hello.Version != ControlProtocol.Version
            ? new ArrakisException(ErrorCode.UnsupportedVersion, $"The daemon speaks version {ControlProtocol.Version}, not {hello.Version}.", "Install a library of the daemon's version. The connection is closed.")
            : _registry.TryGreet(this);
    }

    private async Task AnswerAsync(ControlRequest request)
    {
        Binding? binding = null;
        try
        {
            if (await RunRequestAsync(request).ConfigureAwait(false) is not { } answer)
            {
                return;
            }

            (ControlReply reply, binding) = answer;
            bool sent = binding is null
                ? await SendAsync(reply).ConfigureAwait(false)
                : await SendGrantAsync(reply, binding).ConfigureAwait(false);
            if (binding is not null)
            {
                await _registry.SettleAsync(binding, sent).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is LinuxException or OperationCanceledException or ObjectDisposedException)
        {
            if (binding is not null)
            {
                await _registry.SettleAsync(binding, sent: false).ConfigureAwait(false);
            }
        }
        finally
        {
            _ = _room.Release();
        }
    }

    /// <summary>Null where the process has ended: nobody waits for an answer, and what it had is taken down for its end.</summary>
    private async Task<Answer?> RunRequestAsync(ControlRequest request)
    {
        try
        {
            // Looked at anew: the process may run another program by now.
            using PeerIdentity? peer = _inspector.TryInspect(_socket);
            return peer is null ? null : await _handler.AnswerAsync(peer, request, this, _closing.Token).ConfigureAwait(false);
        }
        catch (ArrakisException e)
        {
            return new Answer(ToReply(request.Id, e));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            _logger.LogError(e, "{Peer}: {Request} failed.", _peer, request.GetType().Name);
            return new Answer(ToReply(request.Id, new ArrakisException(ErrorCode.Internal, $"The request failed in the daemon: {e.Message}", "See the daemon's log (journalctl -u arrakisd).")));
        }
    }

    private async Task<bool> SendGrantAsync(ControlReply reply, Binding binding)
    {
        try
        {
            using Descriptor status = binding.Status!.OpenReadOnlyCopy();
            return await SendAsync(reply, BindingBuilder.GrantDescriptors(binding, status)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is LinuxException or ObjectDisposedException)
        {
            // Revoked meanwhile, or no descriptor left: a request has a reply all the same.
            ArrakisException fault = binding.EndTask is null
                ? new ArrakisException(ErrorCode.Internal, $"The grant of binding {binding.Id} cannot be sent: {e.Message}.", "Close descriptors that are not needed, and bind again.", e)
                : new ArrakisException(ErrorCode.BindingRevoked, $"Binding {binding.Id} was ended before its grant was sent.", "Bind again.", e);
            _ = await SendAsync(ToReply(reply.Id, fault)).ConfigureAwait(false);
            return false;
        }
    }

    private async Task<bool> SendAsync(ControlReply reply, params Descriptor[] descriptors)
    {
        byte[] packet;
        try
        {
            packet = MessageCodec.Encode(reply);
        }
        catch (ArrakisException e)
        {
            packet = MessageCodec.Encode(ToReply(reply.Id, e));
            descriptors = [];
        }

        using var timer = new CancellationTokenSource(s_sendTimeout, _time);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, _closing.Token);
        await _sending.WaitAsync(limit.Token).ConfigureAwait(false);
        try
        {
            while (_socket.TrySend(packet, descriptors) < 0)
            {
                await _loop.WaitAsync(_writeSide, Readiness.Write, limit.Token).ConfigureAwait(false);
            }

            return true;
        }
        catch (OperationCanceledException) when (timer.IsCancellationRequested)
        {
            _logger.LogWarning("{Peer} does not read its replies; the connection is closed.", _peer);
            await _closing.CancelAsync().ConfigureAwait(false);
            return false;
        }
        finally
        {
            _ = _sending.Release();
        }
    }

    private static ErrorReply ToReply(ulong id, ArrakisException e) => new() { Id = id, Code = e.Code, Cause = e.Cause, Remedy = e.Remedy };
}
