using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.Native;
using Arrakis.Native.Sockets;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.VhostUser;

/// <summary>
/// A vhost-user back end at work on the rings of a binding. Where it handles each ring strictly in order, as those of NICs do, a new session
/// goes on at the used index that the old one left in queue memory.
/// </summary>
internal sealed class VhostUserSession : IDeviceSession
{
    /// <summary>The connection's part in the descriptor store.</summary>
    internal const string ConnectionPart = "vhost";

    private static readonly TimeSpan s_messageTimeout = TimeSpan.FromSeconds(2);

    private readonly VhostUserFrontEnd _frontEnd;
    private readonly VirtioFeatures _features;
    private readonly int _rings;
    private readonly BlockGeometry? _disk;

    private VhostUserSession(VhostUserFrontEnd frontEnd, VirtioFeatures features, int rings, BlockGeometry? disk = null)
    {
        _disk = disk;
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
        BindingGrant grant = request.Grant;
        int queues = grant.QueueCount();
        var frontEnd = new VhostUserFrontEnd(connection, context.Loop, context.Time, s_messageTimeout);
        try
        {
            VirtioFeatures required = request.IsFirst ? VirtioFeatures.None : grant.Features();
            VirtioFeatures features = await frontEnd.NegotiateAsync(grant.Features(), required, queues, grant is StorageGrant ? VhostUserKind.Disk : VhostUserKind.Nic, cancellation).ConfigureAwait(false);
            BlockGeometry? disk = grant is StorageGrant storage ? await ReadDiskAsync(frontEnd, features, storage, cancellation).ConfigureAwait(false) : null;
            VringSetup[] rings =
            [
                .. grant.Rings().Select((ring, i) => new VringSetup(
                    ring, RingPosition.Read(request.Memory, ring, features), request.Kicks[i].Descriptor, request.Events[i / grant.RingsPerQueue()].Descriptor)),
            ];
            await frontEnd.StartAsync(request.Memory.Descriptor, grant.Memory.Length, grant.Memory.IovaBase, rings, cancellation).ConfigureAwait(false);
            return new VhostUserSession(frontEnd, features, rings.Length, disk);
        }
        catch (Exception e)
        {
            frontEnd.HangUp();
            frontEnd.Dispose();
            throw e is not VhostUserException fault ? e
                : request.IsFirst && fault.Queues is { } pairs ? DeviceErrors.TooFewQueuePairs(device, pairs, queues, fault)
                : request.IsFirst && fault.Missing.HasFlag(VirtioFeatures.RingPacked) ? DeviceErrors.WithoutPackedRings(device, fault)
                : DeviceErrors.Unavailable(device, $"does not set up virtual function {request.Function}: {e.Message}", e);
        }
    }

    /// <summary>Goes on with a session that an earlier daemon opened; null where its connection was not kept.</summary>
    internal static IDeviceSession? Adopt(BindingGrant grant, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        parts.TryGetValue(ConnectionPart, out Descriptor? connection)
            ? new VhostUserSession(new VhostUserFrontEnd(new UnixSocket(connection), context.Loop, context.Time, s_messageTimeout), grant.Features(), grant.Rings().Count)
            : null;

    /// <inheritdoc/>
    public BindingRecord Complete(BindingRecord record) => record with
    {
        Grant = record.Grant switch
        {
            Grant nic => nic with { Features = _features },
            StorageGrant storage when _disk is not null => storage with { Features = _features, Capabilities = _disk.Capabilities, MaxTransferLength = Math.Min(_disk.MaxTransferLength, storage.MaxTransferLength) },
            var other => other,
        },
    };

    /// <summary>Asks a disk that nobody has what its blocks are like; the connection is closed.</summary>
    /// <exception cref="ArrakisException">It does not tell.</exception>
    internal static async Task<BlockGeometry> AskDiskAsync(string device, UnixSocket connection, SessionContext context, CancellationToken cancellation)
    {
        using var frontEnd = new VhostUserFrontEnd(connection, context.Loop, context.Time, s_messageTimeout);
        try
        {
            VirtioFeatures features = await frontEnd.NegotiateAsync(BindStorageRequest.Understood, VirtioFeatures.None, 1, VhostUserKind.Disk, cancellation).ConfigureAwait(false);
            return DiskConfiguration.Read(features, await frontEnd.ReadConfigurationAsync(VirtioBlockConfig.Length, cancellation).ConfigureAwait(false));
        }
        catch (VhostUserException e)
        {
            throw DeviceErrors.Unavailable(device, $"does not tell of its disk: {e.Message}", e);
        }
    }

    /// <summary>What the disk is like, which is to be what the grant says.</summary>
    private static async Task<BlockGeometry> ReadDiskAsync(VhostUserFrontEnd frontEnd, VirtioFeatures features, StorageGrant grant, CancellationToken cancellation)
    {
        BlockGeometry disk = DiskConfiguration.Read(features, await frontEnd.ReadConfigurationAsync(VirtioBlockConfig.Length, cancellation).ConfigureAwait(false));
        bool isReadOnly = features.HasFlag(VirtioBlockFeatures.ReadOnly);
        return disk.BlockSize != grant.BlockSize || disk.BlockCount != grant.BlockCount
            ? throw new VhostUserException($"The back end shows {disk.BlockCount} blocks of {disk.BlockSize} bytes, not {grant.BlockCount} of {grant.BlockSize}.")
            : isReadOnly && grant.Access == AreaAccess.ReadWrite ? throw new VhostUserException("The back end's disk is read-only.")
            : disk;
    }

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
