using System.Buffers.Binary;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Arrakis.Wire.Rings;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.VhostUser;

/// <summary>The back end broke the protocol, hung up, or did not answer in time.</summary>
internal sealed class VhostUserException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Features that the back end does not offer and the session cannot do without.</summary>
    internal VirtioFeatures Missing { get; init; }

    /// <summary>How many queues, or queue pairs, the back end has, where these are too few.</summary>
    internal int? Queues { get; init; }
}

/// <summary>Which device a back end is.</summary>
internal enum VhostUserKind
{
    /// <summary>A NIC (virtio 1.2 §5.1).</summary>
    Nic,

    /// <summary>A disk (virtio 1.2 §5.2).</summary>
    Disk,
}

/// <summary>One ring as it is handed to a back end.</summary>
/// <param name="Layout">Where it lies in the memory.</param>
/// <param name="Base">The first available index to process.</param>
/// <param name="Kick">Doorbell.</param>
/// <param name="Call">Event.</param>
internal readonly record struct VringSetup(RingLayout Layout, ushort Base, Descriptor Kick, Descriptor Call);

/// <summary>
/// The front end of a vhost-user session: sets rings up and stops them; data never passes here. The back end is not
/// trusted: each reply is bounded, checked and waited for only so long.
/// </summary>
internal sealed class VhostUserFrontEnd : IDisposable
{
    // What a session cannot do without: the ring's format is laid out already.
    private const VirtioFeatures Indispensable = VirtioFeatures.Version1 | VirtioFeatures.RingPacked;

    private readonly UnixSocket _socket;
    private readonly ReadinessLoop _loop;
    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private bool _speaksProtocolFeatures;
    private bool _acknowledges;
    private bool _tellsConfiguration;

    /// <summary>Takes over a connection.</summary>
    /// <param name="socket">Connected to the back end; owned.</param>
    /// <param name="loop">Waits for it.</param>
    /// <param name="time">Measures the timeout.</param>
    /// <param name="timeout">For each message.</param>
    internal VhostUserFrontEnd(UnixSocket socket, ReadinessLoop loop, TimeProvider time, TimeSpan timeout)
    {
        _socket = socket;
        _loop = loop;
        _time = time;
        _timeout = timeout;
    }

    /// <summary>The connection; to be kept open for the session to live.</summary>
    internal Descriptor Descriptor => _socket.Descriptor;

    /// <summary>Whether the back end acknowledges each message, as of the handshake.</summary>
    internal bool Acknowledges => _acknowledges;

    /// <summary>Negotiates features and returns those of virtio in force.</summary>
    /// <param name="wanted">What the data plane understands; of the ring formats, the one that it has.</param>
    /// <param name="required">Of these, what the back end must have.</param>
    /// <param name="queues">How many queues, or queue pairs, will be started.</param>
    /// <param name="kind">The kind of device.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="VhostUserException">The back end lacks something that is required, or misbehaves.</exception>
    internal async Task<VirtioFeatures> NegotiateAsync(VirtioFeatures wanted, VirtioFeatures required, int queues, VhostUserKind kind, CancellationToken cancellation)
    {
        var offered = (VirtioFeatures)await AskNumberAsync(VhostUserRequest.GetFeatures, cancellation).ConfigureAwait(false);
        VirtioFeatures missing = (VirtioFeatures.Version1 | (wanted & Indispensable) | required) & ~offered;
        if (missing != VirtioFeatures.None)
        {
            throw new VhostUserException($"The back end offers features {(ulong)offered:x}, without {missing}.") { Missing = missing };
        }

        VirtioFeatures forSeveral = VirtioFeatures.VhostUserProtocolFeatures | (kind == VhostUserKind.Disk ? VirtioBlockFeatures.MultiQueue : VirtioFeatures.NetMultiQueue);
        if (queues > 1 && (offered & forSeveral) != forSeveral)
        {
            throw TooFewQueues(1, queues);
        }

        await SendAsync(VhostUserRequest.SetOwner, default, cancellation).ConfigureAwait(false);
        VirtioFeatures features = offered & (wanted | VirtioFeatures.VhostUserProtocolFeatures);
        if (features.HasFlag(VirtioFeatures.VhostUserProtocolFeatures))
        {
            var protocol = (VhostUserProtocolFeatures)await AskNumberAsync(VhostUserRequest.GetProtocolFeatures, cancellation).ConfigureAwait(false);
            protocol &= VhostUserProtocolFeatures.ReplyAck
                | (queues > 1 ? VhostUserProtocolFeatures.MultiQueue : VhostUserProtocolFeatures.None)
                | (kind == VhostUserKind.Disk ? VhostUserProtocolFeatures.Config : VhostUserProtocolFeatures.None);
            await SendNumberAsync(VhostUserRequest.SetProtocolFeatures, (ulong)protocol, cancellation).ConfigureAwait(false);
            _speaksProtocolFeatures = true;
            _acknowledges = protocol.HasFlag(VhostUserProtocolFeatures.ReplyAck);
            _tellsConfiguration = protocol.HasFlag(VhostUserProtocolFeatures.Config);
            if (queues > 1)
            {
                await RequireQueuesAsync(protocol, queues, cancellation).ConfigureAwait(false);
            }
        }

        await SendNumberAsync(VhostUserRequest.SetFeatures, (ulong)features, cancellation).ConfigureAwait(false);
        return features & ~VirtioFeatures.VhostUserProtocolFeatures;
    }

    // Of a back end with VHOST_USER_PROTOCOL_F_MQ: others have one pair and do not know the question.
    private async Task RequireQueuesAsync(VhostUserProtocolFeatures protocol, int wanted, CancellationToken cancellation)
    {
        ulong has = protocol.HasFlag(VhostUserProtocolFeatures.MultiQueue)
            ? await AskNumberAsync(VhostUserRequest.GetQueueCount, cancellation).ConfigureAwait(false)
            : 1;
        if (has < (ulong)wanted)
        {
            throw TooFewQueues((int)has, wanted);
        }
    }

    private static VhostUserException TooFewQueues(int has, int wanted) =>
        new($"The back end has {has} queues or queue pairs, not {wanted}.") { Queues = has };

    /// <summary>Reads the first bytes of the device's configuration space (virtio 1.2 §2.5).</summary>
    /// <exception cref="VhostUserException">The back end does not tell.</exception>
    internal async Task<byte[]> ReadConfigurationAsync(int length, CancellationToken cancellation)
    {
        if (!_tellsConfiguration)
        {
            throw new VhostUserException("The back end does not tell its device's configuration (VHOST_USER_PROTOCOL_F_CONFIG).");
        }

        byte[] payload = new byte[VhostConfigRange.HeaderLength + length];
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(sizeof(uint)), (uint)length); // From offset 0 on.
        byte[] reply = await AskAsync(VhostUserRequest.GetConfig, payload, cancellation).ConfigureAwait(false);
        return reply.Length == payload.Length
            ? reply[VhostConfigRange.HeaderLength..]
            : throw new VhostUserException($"The back end answered GET_CONFIG with {reply.Length} bytes, not {payload.Length}."); // No bytes are the protocol's error.
    }

    /// <summary>Hands over memory and rings, and starts them. Returns when the back end has taken all of it.</summary>
    /// <param name="memory">The memory file.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="iovaBase">Device address of its first byte; the rings' addresses are counted from it too.</param>
    /// <param name="rings">The rings, of a NIC's pair the receiving one first (virtio 1.2 §5.1.2).</param>
    /// <param name="cancellation">Gives up.</param>
    internal async Task StartAsync(Descriptor memory, long length, ulong iovaBase, IReadOnlyList<VringSetup> rings, CancellationToken cancellation)
    {
        byte[] table = new byte[VhostMemoryRegion.TableHeaderLength + VhostMemoryRegion.Length];
        _ = VhostMemoryRegion.WriteTable(table, [new VhostMemoryRegion(iovaBase, (ulong)length, iovaBase, 0)]);
        await SendAsync(VhostUserRequest.SetMemoryTable, table, cancellation, memory).ConfigureAwait(false);
        for (int i = 0; i < rings.Count; i++)
        {
            VringSetup ring = rings[i];
            uint index = (uint)i;
            await SendStateAsync(VhostUserRequest.SetVringSize, new VringState(index, (uint)ring.Layout.QueueSize), cancellation).ConfigureAwait(false);
            await SendStateAsync(VhostUserRequest.SetVringBase, new VringState(index, ring.Base), cancellation).ConfigureAwait(false);
            byte[] address = new byte[VringAddress.Length];
            new VringAddress(
                index,
                0,
                iovaBase + (ulong)ring.Layout.DescriptorArea,
                iovaBase + (ulong)ring.Layout.DeviceArea,
                iovaBase + (ulong)ring.Layout.DriverArea,
                0).Write(address);
            await SendAsync(VhostUserRequest.SetVringAddress, address, cancellation).ConfigureAwait(false);
            await SendNumberAsync(VhostUserRequest.SetVringCall, index, cancellation, ring.Call).ConfigureAwait(false);
            await SendNumberAsync(VhostUserRequest.SetVringKick, index, cancellation, ring.Kick).ConfigureAwait(false);
        }

        // Without protocol features a ring starts enabled, and the message does not exist.
        if (_speaksProtocolFeatures)
        {
            for (int i = 0; i < rings.Count; i++)
            {
                await SendStateAsync(VhostUserRequest.SetVringEnable, new VringState((uint)i, 1), cancellation).ConfigureAwait(false);
            }
        }

        // Messages are handled in order: an answer to this one says that all before it were taken.
        _ = await AskNumberAsync(VhostUserRequest.GetFeatures, cancellation).ConfigureAwait(false);
    }

    /// <summary>Stops a ring and returns the next available index that the back end would process.</summary>
    internal async Task<ushort> StopRingAsync(int index, CancellationToken cancellation)
    {
        byte[] payload = new byte[VringState.Length];
        new VringState((uint)index, 0).Write(payload);
        byte[] reply = await AskAsync(VhostUserRequest.GetVringBase, payload, cancellation).ConfigureAwait(false);
        return VringState.TryRead(reply, out VringState state) && state.Index == (uint)index
            ? (ushort)state.Value
            : throw new VhostUserException("The back end answered GET_VRING_BASE with another ring's state.");
    }

    /// <summary>Completes when the back end has hung up, or breaks the silence that is due between requests.</summary>
    internal Task WaitForEndAsync(CancellationToken cancellation) => _loop.WaitAsync(_socket.Descriptor, Readiness.Read, cancellation);

    /// <summary>Ends the session, whoever else has a copy of the connection.</summary>
    internal void HangUp() => _socket.Shutdown();

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private Task SendNumberAsync(VhostUserRequest request, ulong value, CancellationToken cancellation, params Descriptor[] descriptors)
    {
        byte[] payload = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(payload, value);
        return SendAsync(request, payload, cancellation, descriptors);
    }

    private Task SendStateAsync(VhostUserRequest request, VringState state, CancellationToken cancellation)
    {
        byte[] payload = new byte[VringState.Length];
        state.Write(payload);
        return SendAsync(request, payload, cancellation);
    }

    private async Task SendAsync(VhostUserRequest request, ReadOnlyMemory<byte> payload, CancellationToken cancellation, params Descriptor[] descriptors)
    {
        using var timer = new CancellationTokenSource(_timeout, _time);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        try
        {
            await WriteAsync(request, _acknowledges ? VhostUserHeader.NeedReplyFlag : 0, payload, descriptors, limit.Token).ConfigureAwait(false);
            if (_acknowledges)
            {
                byte[] reply = await ReadReplyAsync(request, limit.Token).ConfigureAwait(false);
                if (ReadNumber(request, reply) is not 0 and var status)
                {
                    throw new VhostUserException($"The back end refused {request} with status {status}.");
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or LinuxException)
        {
            throw Failed(request, e, cancellation);
        }
    }

    private async Task<ulong> AskNumberAsync(VhostUserRequest request, CancellationToken cancellation) =>
        ReadNumber(request, await AskAsync(request, default, cancellation).ConfigureAwait(false));

    private async Task<byte[]> AskAsync(VhostUserRequest request, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        using var timer = new CancellationTokenSource(_timeout, _time);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        try
        {
            await WriteAsync(request, 0, payload, [], limit.Token).ConfigureAwait(false);
            return await ReadReplyAsync(request, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or LinuxException)
        {
            throw Failed(request, e, cancellation);
        }
    }

    private static Exception Failed(VhostUserRequest request, Exception cause, CancellationToken cancellation) =>
        cause is OperationCanceledException
            ? cancellation.IsCancellationRequested
                ? cause
                : new VhostUserException($"The back end did not answer {request} in time.", cause)
            : new VhostUserException($"The connection to the back end broke at {request}: {cause.Message}", cause);

    private async Task WriteAsync(VhostUserRequest request, uint flags, ReadOnlyMemory<byte> payload, Descriptor[] descriptors, CancellationToken cancellation)
    {
        byte[] message = new byte[VhostUserHeader.Length + payload.Length];
        new VhostUserHeader(request, VhostUserHeader.Version | flags, (uint)payload.Length).Write(message);
        payload.CopyTo(message.AsMemory(VhostUserHeader.Length));
        int at = 0;
        while (at < message.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            int sent = _socket.TrySend(message.AsSpan(at), at == 0 ? descriptors : []);
            if (sent < 0)
            {
                await _loop.WaitAsync(_socket.Descriptor, Readiness.Write, cancellation).ConfigureAwait(false);
                continue;
            }

            at += sent;
        }
    }

    private async Task<byte[]> ReadReplyAsync(VhostUserRequest request, CancellationToken cancellation)
    {
        byte[] header = await ReadExactAsync(VhostUserHeader.Length, cancellation).ConfigureAwait(false);
        if (!VhostUserHeader.TryRead(header, out VhostUserHeader parsed) || !parsed.IsReply || parsed.Request != request)
        {
            throw new VhostUserException($"The back end answered {request} with something else (request {(uint)parsed.Request}, flags {parsed.Flags:x}, {parsed.PayloadLength} bytes).");
        }

        return await ReadExactAsync((int)parsed.PayloadLength, cancellation).ConfigureAwait(false);
    }

    private async Task<byte[]> ReadExactAsync(int length, CancellationToken cancellation)
    {
        byte[] buffer = new byte[length];
        int at = 0;
        while (at < length)
        {
            cancellation.ThrowIfCancellationRequested();
            if (_socket.TryReceive(buffer.AsSpan(at)) is not { } message)
            {
                await _loop.WaitAsync(_socket.Descriptor, Readiness.Read, cancellation).ConfigureAwait(false);
                continue;
            }

            message.CloseDescriptors(); // No reply that is asked for here carries any.
            if (message.Length == 0)
            {
                throw new VhostUserException("The back end hung up.");
            }

            at += message.Length;
        }

        return buffer;
    }

    private static ulong ReadNumber(VhostUserRequest request, byte[] payload) =>
        payload.Length == sizeof(ulong)
            ? BinaryPrimitives.ReadUInt64LittleEndian(payload)
            : throw new VhostUserException($"The back end answered {request} with {payload.Length} bytes, not 8.");
}
