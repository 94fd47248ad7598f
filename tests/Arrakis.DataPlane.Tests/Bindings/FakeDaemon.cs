using System.Collections.Concurrent;
using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;

namespace Arrakis.DataPlane.Tests.Bindings;

/// <summary>A daemon that answers as a test tells it to, on a socket of its own.</summary>
internal sealed class FakeDaemon : IAsyncDisposable
{
    private static int s_last;

    private readonly ReadinessLoop _loop = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<ControlRequest, Connection, bool> _script;
    private readonly UnixSocket _listener;
    private readonly Task _accepting;

    /// <summary>Starts to listen.</summary>
    /// <param name="script">Answers a request; false leaves it to the daemon, which knows hello and says done to all else.</param>
    /// <param name="path">Where, if not at a new place.</param>
    public FakeDaemon(Func<ControlRequest, Connection, bool> script, string? path = null)
    {
        _script = script;
        Path = path ?? System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"arrakis-fake-{Environment.ProcessId}-{Interlocked.Increment(ref s_last)}.sock");
        _listener = UnixSocket.Listen(Path, UnixSocketKind.SequencedPacket, 16, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _accepting = AcceptAsync();
    }

    public string Path { get; }

    public ConcurrentQueue<ControlRequest> Requests { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        File.Delete(Path);
        _loop.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                await _loop.WaitAsync(_listener.Descriptor, Readiness.Read, _stop.Token);
                if (_listener.TryAccept() is { } socket)
                {
                    connections.Add(ServeAsync(socket));
                }
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task ServeAsync(UnixSocket socket)
    {
        using (socket)
        {
            var buffer = new byte[ControlProtocol.MaxMessageLength];
            try
            {
                while (true)
                {
                    await _loop.WaitAsync(socket.Descriptor, Readiness.Read, _stop.Token);
                    if (socket.TryReceive(buffer) is not { } message)
                    {
                        continue;
                    }

                    message.CloseDescriptors();
                    if (message.Length == 0)
                    {
                        return;
                    }

                    ControlRequest request = MessageCodec.DecodeRequest(buffer.AsSpan(0, message.Length));
                    Requests.Enqueue(request);
                    var connection = new Connection(socket);
                    if (!_script(request, connection))
                    {
                        connection.Reply(request is HelloRequest
                            ? new HelloReply { Id = request.Id, Version = ControlProtocol.Version, Daemon = "fake" }
                            : new DoneReply { Id = request.Id });
                    }
                }
            }
            catch (Exception e) when (e is OperationCanceledException or LinuxException)
            {
                // The test is over, or the client has gone.
            }
        }
    }

    /// <summary>What a script answers through.</summary>
    internal sealed class Connection(UnixSocket socket)
    {
        public void Reply(ControlReply reply, params ReadOnlySpan<Descriptor> descriptors) => Send(MessageCodec.Encode(reply), descriptors);

        public void Send(ReadOnlySpan<byte> packet, params ReadOnlySpan<Descriptor> descriptors) => Assert.Equal(packet.Length, socket.TrySend(packet, descriptors));

        public void HangUp() => socket.Shutdown();
    }
}
