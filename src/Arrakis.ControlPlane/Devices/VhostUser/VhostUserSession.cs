using Arrakis.Contract;
using Arrakis.ControlPlane.Bindings;
using Arrakis.Native;
using Arrakis.Native.Sockets;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.VhostUser;

/// <summary>
/// A vhost-user back end at work on the rings of a binding. The back end handles each ring strictly in order, so a new session goes on
/// at the used index that the old one left in queue memory.
/// </summary>
internal sealed class VhostUserSession : IDeviceSession
{
    /// <summary>The connection's part in the descriptor store.</summary>
    internal const string ConnectionPart = "vhost";

    private static readonly TimeSpan s_messageTimeout = TimeSpan.FromSeconds(2);

    private readonly VhostUserFrontEnd _frontEnd;
    private readonly VirtioFeatures _features;
    private readonly int _rings;

    private VhostUserSession(VhostUserFrontEnd frontEnd, VirtioFeatures features, int rings)
    {
        _frontEnd = frontEnd;
        _features = features;
        _rings = rings;
    }

    /// <inheritdoc/>
    public IReadOnlyList<(string Part, Descriptor Descriptor)> Kept => [(ConnectionPart, _frontEnd.Descriptor)];

    /// <inheritdoc/>
    public Descriptor? Registers => null;

    /// <summary>Opens a session over a connection, of which it becomes the owner.</summary>
    /// <exception cref="ArrakisException">The back end lacks what the binding needs, or misbehaves; the connection is closed.</exception>
    internal static async Task<IDeviceSession> OpenAsync(string device, UnixSocket connection, SessionRequest request, SessionContext context, CancellationToken cancellation)
    {
        Grant grant = request.Grant;
        var frontEnd = new VhostUserFrontEnd(connection, context.Loop, context.Time, s_messageTimeout);
        try
        {
            VirtioFeatures required = request.IsFirst ? VirtioFeatures.None : grant.Features;
            VirtioFeatures features = await frontEnd.NegotiateAsync(grant.Features, required, grant.QueuePairs, cancellation).ConfigureAwait(false);
            VringSetup[] rings =
            [
                .. grant.Queues.Select((queue, i) => new VringSetup(
                    queue.Ring, RingPosition.Read(request.Memory, queue.Ring, features), request.Kicks[i].Descriptor, request.Events[i / 2].Descriptor)),
            ];
            await frontEnd.StartAsync(request.Memory.Descriptor, grant.Memory.Length, grant.Memory.IovaBase, rings, cancellation).ConfigureAwait(false);
            return new VhostUserSession(frontEnd, features, grant.Queues.Count);
        }
        catch (Exception e)
        {
            frontEnd.HangUp();
            frontEnd.Dispose();
            throw e is not VhostUserException fault ? e
                : request.IsFirst && fault.QueuePairs is { } pairs ? DeviceErrors.TooFewQueuePairs(device, pairs, grant.QueuePairs, fault)
                : request.IsFirst && fault.Missing.HasFlag(VirtioFeatures.RingPacked) ? DeviceErrors.WithoutPackedRings(device, fault)
                : DeviceErrors.Unavailable(device, $"does not set up virtual function {request.Function}: {e.Message}", e);
        }
    }

    /// <summary>Goes on with a session that an earlier daemon opened; null where its connection was not kept.</summary>
    internal static IDeviceSession? Adopt(Grant grant, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        parts.TryGetValue(ConnectionPart, out Descriptor? connection)
            ? new VhostUserSession(new VhostUserFrontEnd(new UnixSocket(connection), context.Loop, context.Time, s_messageTimeout), grant.Features, grant.Queues.Count)
            : null;

    /// <inheritdoc/>
    public BindingRecord Complete(BindingRecord record) => record with { Grant = record.Grant with { Features = _features } };

    /// <inheritdoc/>
    public TimeSpan StopTimeout { get; } = TimeSpan.FromMilliseconds(500);

    /// <inheritdoc/>
    public async Task<SessionEnd> WaitForEndAsync(CancellationToken cancellation)
    {
        await _frontEnd.WaitForEndAsync(cancellation).ConfigureAwait(false);
        return SessionEnd.HungUp;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellation)
    {
        for (int ring = 0; ring < _rings; ring++)
        {
            _ = await _frontEnd.StopRingAsync(ring, cancellation).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void HangUp() => _frontEnd.HangUp();

    /// <inheritdoc/>
    public void Dispose() => _frontEnd.Dispose();
}
