using System.Collections.Concurrent;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;

namespace Arrakis.Ctl.Tests;

/// <summary>Answers on a control socket of its own with what a test wants.</summary>
internal sealed class FakeDaemon : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-ctl-").FullName;
    private readonly ReadinessLoop _loop = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly UnixSocket _listener;
    private readonly Func<ControlRequest, ControlReply> _answer;
    private readonly ConcurrentBag<Task> _conversations = [];
    private readonly Task _accepting;

    internal FakeDaemon(Func<ControlRequest, ControlReply> answer)
    {
        _answer = answer;
        SocketPath = Path.Combine(_folder, "control.sock");
        _listener = UnixSocket.Listen(SocketPath, UnixSocketKind.SequencedPacket, 16, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _accepting = AcceptAsync();
    }

    internal string SocketPath { get; }

    /// <summary>What was asked, hello apart, in order.</summary>
    internal ConcurrentQueue<ControlRequest> Requests { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _accepting;
        await Task.WhenAll(_conversations);
        _loop.Dispose();
        _listener.Dispose();
        _ended.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                await _loop.WaitAsync(_listener.Descriptor, Readiness.Read, _ended.Token);
                if (_listener.TryAccept() is { } socket)
                {
                    _conversations.Add(ConverseAsync(socket));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task ConverseAsync(UnixSocket socket)
    {
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        using (socket)
        {
            try
            {
                while (true)
                {
                    await _loop.WaitAsync(socket.Descriptor, Readiness.Read, _ended.Token);
                    if (socket.TryReceive(buffer) is not { } message)
                    {
                        continue;
                    }

                    if (message.Length == 0)
                    {
                        return;
                    }

                    _ = socket.TrySend(MessageCodec.Encode(Reply(MessageCodec.DecodeRequest(buffer.AsSpan(0, message.Length)))));
                }
            }
            catch (Exception e) when (e is OperationCanceledException or LinuxException)
            {
                // The test is over, or the client has gone.
            }
        }
    }

    private ControlReply Reply(ControlRequest request)
    {
        if (request is HelloRequest)
        {
            return new HelloReply { Id = request.Id, Version = ControlProtocol.Version, Daemon = "fake" };
        }

        Requests.Enqueue(request);
        try
        {
            return _answer(request) with { Id = request.Id };
        }
        catch (ArrakisException e)
        {
            return new ErrorReply { Id = request.Id, Code = e.Code, Cause = e.Cause, Remedy = e.Remedy };
        }
    }
}
