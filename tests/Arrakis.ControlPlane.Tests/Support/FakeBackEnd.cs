using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>How a back end misbehaves, and at which request.</summary>
/// <param name="At">The request.</param>
/// <param name="Kind">What happens there.</param>
internal readonly record struct BackEndFault(VhostUserRequest At, BackEndFaultKind Kind);

/// <summary>Ways to misbehave.</summary>
internal enum BackEndFaultKind
{
    None,
    HangUp,
    Refuse,
    Silence,
    WrongReply,
}

/// <summary>The back end of one vhost-user session: takes everything, moves no packet.</summary>
internal sealed class FakeBackEnd : IAsyncDisposable
{
    private readonly UnixSocket _socket;
    private readonly BackEndFault _fault;
    private readonly VirtioFeatures _features;
    private readonly ulong? _queuePairs;
    private readonly byte[]? _configuration;
    private readonly ReadinessLoop _loop = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _serving;

    internal FakeBackEnd(UnixSocket socket, BackEndFault fault, VirtioFeatures features, ulong? queuePairs, byte[]? configuration = null)
    {
        _socket = socket;
        _fault = fault;
        _features = features;
        _queuePairs = queuePairs;
        _configuration = configuration;
        _serving = Task.Run(ServeAsync);
    }

    /// <summary>Requests so far.</summary>
    internal List<VhostUserRequest> Requests { get; } = [];

    /// <summary>The base index that each ring was started at.</summary>
    internal Dictionary<uint, uint> Bases { get; } = [];

    /// <summary>Rings that were enabled.</summary>
    internal SortedSet<uint> Enabled { get; } = [];

    /// <summary>Rings that were stopped.</summary>
    internal SortedSet<uint> Stopped { get; } = [];

    /// <summary>Protocol features that the front end has chosen.</summary>
    internal VhostUserProtocolFeatures Chosen { get; private set; }

    /// <summary>Completes when the front end has hung up.</summary>
    internal Task Ended => _serving;

    /// <summary>Hangs up on the front end.</summary>
    internal void HangUp() => _socket.Shutdown();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _serving;
        _socket.Dispose();
        _loop.Dispose();
        _stopping.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (await ReadAsync(VhostUserHeader.Length) is { } head && VhostUserHeader.TryRead(head, out VhostUserHeader header))
            {
                byte[] payload = await ReadAsync((int)header.PayloadLength) ?? [];
                Requests.Add(header.Request);
                if (header.Request == _fault.At && _fault.Kind == BackEndFaultKind.HangUp)
                {
                    _socket.Shutdown();
                    return;
                }

                if (header.Request == _fault.At && _fault.Kind == BackEndFaultKind.Silence)
                {
                    continue;
                }

                Answer(header, payload);
            }
        }
        catch (Exception e) when (e is LinuxException or OperationCanceledException)
        {
            // The front end has gone, or the test is over.
        }
    }

    private void Answer(VhostUserHeader header, byte[] payload)
    {
        bool faulty = header.Request == _fault.At;
        ulong? number = header.Request switch
        {
            VhostUserRequest.GetFeatures => (ulong)_features,
            VhostUserRequest.GetProtocolFeatures => (ulong)(VhostUserProtocolFeatures.ReplyAck
                | (_queuePairs is null ? VhostUserProtocolFeatures.None : VhostUserProtocolFeatures.MultiQueue)
                | (_configuration is null ? VhostUserProtocolFeatures.None : VhostUserProtocolFeatures.Config)),
            VhostUserRequest.GetQueueCount => _queuePairs ?? 1,
            _ when header.NeedsReply => faulty && _fault.Kind == BackEndFaultKind.Refuse ? 1UL : 0UL,
            _ => null,
        };
        if (header.Request == VhostUserRequest.SetProtocolFeatures)
        {
            Chosen = (VhostUserProtocolFeatures)BitConverter.ToUInt64(payload);
        }
        else if (VringState.TryRead(payload, out VringState state))
        {
            Note(header.Request, state);
        }

        byte[] body = header.Request == VhostUserRequest.GetVringBase ? payload
            : header.Request == VhostUserRequest.GetConfig ? [.. payload.AsSpan(0, VhostConfigRange.HeaderLength), .. _configuration!.AsSpan(0, payload.Length - VhostConfigRange.HeaderLength)]
            : number is { } value ? BitConverter.GetBytes(value) : [];
        if (body.Length == 0)
        {
            return;
        }

        byte[] reply = new byte[VhostUserHeader.Length + body.Length];
        VhostUserRequest answered = faulty && _fault.Kind == BackEndFaultKind.WrongReply ? VhostUserRequest.GetStatus : header.Request;
        new VhostUserHeader(answered, VhostUserHeader.Version | VhostUserHeader.ReplyFlag, (uint)body.Length).Write(reply);
        body.CopyTo(reply, VhostUserHeader.Length);
        _ = _socket.TrySend(reply);
    }

    private void Note(VhostUserRequest request, VringState state)
    {
        switch (request)
        {
            case VhostUserRequest.SetVringBase:
                Bases[state.Index] = state.Value;
                break;
            case VhostUserRequest.SetVringEnable when state.Value == 1:
                _ = Enabled.Add(state.Index);
                break;
            case VhostUserRequest.GetVringBase:
                _ = Stopped.Add(state.Index);
                break;
        }
    }

    private async Task<byte[]?> ReadAsync(int length)
    {
        byte[] buffer = new byte[length];
        int at = 0;
        while (at < length)
        {
            if (_socket.TryReceive(buffer.AsSpan(at)) is not { } message)
            {
                await _loop.WaitAsync(_socket.Descriptor, Readiness.Read, _stopping.Token);
                continue;
            }

            message.CloseDescriptors();
            if (message.Length == 0)
            {
                return null;
            }

            at += message.Length;
        }

        return buffer;
    }
}
