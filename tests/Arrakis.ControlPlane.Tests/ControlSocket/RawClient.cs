using System.Text;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;

namespace Arrakis.ControlPlane.Tests.ControlSocket;

/// <summary>A client that sends whatever a test wants, and reads what comes.</summary>
internal sealed class RawClient : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly ReadinessLoop s_loop = new();

    private readonly UnixSocket _socket;
    private ulong _lastId;

    private RawClient(UnixSocket socket) => _socket = socket;

    internal UnixSocket Socket => _socket;

    internal static RawClient Connect(string path) => new(UnixSocket.Connect(path, UnixSocketKind.SequencedPacket));

    /// <summary>Connects and says hello.</summary>
    internal static async Task<RawClient> GreetAsync(string path)
    {
        RawClient client = Connect(path);
        await client.HelloAsync();
        return client;
    }

    internal async Task HelloAsync() =>
        _ = Assert.IsType<HelloReply>(await AskAsync(new HelloRequest { Id = NextId(), Version = ControlProtocol.Version }));

    internal ulong NextId() => ++_lastId;

    internal Task SendAsync(string text, params Descriptor[] descriptors) => SendAsync(Encoding.UTF8.GetBytes(text), descriptors);

    internal async Task SendAsync(byte[] packet, params Descriptor[] descriptors)
    {
        using var limit = new CancellationTokenSource(s_patience);
        while (_socket.TrySend(packet, descriptors) < 0)
        {
            await s_loop.WaitAsync(_socket.Descriptor, Readiness.Write, limit.Token);
        }
    }

    /// <summary>The next reply and its descriptors; null at the end of the connection.</summary>
    internal async Task<(ControlReply? Reply, IReadOnlyList<Descriptor> Descriptors)> ReceiveWithAsync()
    {
        using var limit = new CancellationTokenSource(s_patience);
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        while (true)
        {
            if (_socket.TryReceive(buffer) is { } message)
            {
                return (message.Length == 0 ? null : MessageCodec.DecodeReply(buffer.AsSpan(0, message.Length)), message.Descriptors);
            }

            await s_loop.WaitAsync(_socket.Descriptor, Readiness.Read, limit.Token);
        }
    }

    internal async Task<ControlReply?> ReceiveAsync()
    {
        (ControlReply? reply, IReadOnlyList<Descriptor> descriptors) = await ReceiveWithAsync();
        foreach (Descriptor descriptor in descriptors)
        {
            descriptor.Dispose();
        }

        return reply;
    }

    internal async Task<ControlReply?> AskAsync(ControlRequest request, params Descriptor[] descriptors)
    {
        await SendAsync(MessageCodec.Encode(request), descriptors);
        return await ReceiveAsync();
    }

    /// <summary>The next reply, which is an error that says why and what to do.</summary>
    internal async Task<ErrorReply> ReceiveErrorAsync(ErrorCode code)
    {
        ControlReply? reply = await ReceiveAsync();
        return Expect(reply, code);
    }

    internal async Task<ErrorReply> AskErrorAsync(ErrorCode code, ControlRequest request) => Expect(await AskAsync(request), code);

    /// <summary>Binds; the grant's descriptors are the caller's.</summary>
    internal async Task<(Grant Grant, IReadOnlyList<Descriptor> Descriptors)> BindAsync(Func<BindNicRequest, BindNicRequest>? adjust = null)
    {
        var request = new BindNicRequest { Id = NextId(), Device = "soft0", QueueSize = 64, Buffers = 16 };
        await SendAsync(MessageCodec.Encode(adjust is null ? request : adjust(request)));
        (ControlReply? reply, IReadOnlyList<Descriptor> descriptors) = await ReceiveWithAsync();
        return (Assert.IsType<BindNicReply>(reply).Grant, descriptors);
    }

    /// <summary>Binds at a daemon that takes one request at a time: its answer to the next says that it has noted the grant as sent.</summary>
    internal async Task<(Grant Grant, IReadOnlyList<Descriptor> Descriptors)> BindConfirmedAsync()
    {
        (Grant grant, IReadOnlyList<Descriptor> descriptors) = await BindAsync();
        _ = await ListAsync();
        return (grant, descriptors);
    }

    internal async Task ReleaseAsync(Grant grant) =>
        _ = Assert.IsType<DoneReply>(await AskAsync(new ReleaseRequest { Id = NextId(), BindingId = grant.BindingId, Generation = grant.Generation }));

    internal async Task<IReadOnlyList<BindingDescription>> ListAsync() =>
        Assert.IsType<BindingsReply>(await AskAsync(new ListBindingsRequest { Id = NextId() })).Bindings;

    /// <summary>The connection has ended.</summary>
    internal async Task AssertClosedAsync()
    {
        try
        {
            Assert.Null(await ReceiveAsync());
        }
        catch (LinuxException e)
        {
            Assert.Equal(104, e.Errno); // ECONNRESET: there was something that the daemon did not read any more.
        }
    }

    public void Dispose() => _socket.Dispose();

    private static ErrorReply Expect(ControlReply? reply, ErrorCode code)
    {
        ErrorReply error = Assert.IsType<ErrorReply>(reply);
        Assert.Equal((code, error.Cause), (error.Code, error.Cause));
        Assert.NotEmpty(error.Cause);
        Assert.NotEmpty(error.Remedy);
        return error;
    }
}
