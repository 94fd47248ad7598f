using System.Diagnostics;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Policy;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Arrakis.Wire;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>
/// Plays a bind through on each device before anyone can connect: the first client would otherwise wait until the code of
/// the whole path is compiled, here, in the keeper and in the device. It has a ledger and a policy of its own, and of storage
/// an area of its own, which no catalogue has: one block, read only, of which nothing is read. A daemon that is killed meanwhile
/// leaves a half-made binding, which the next one undoes like any other.
/// </summary>
internal sealed class StartupRehearsal(
    Ledger ledger,
    AreaDirectory areas,
    BindingBuilder builder,
    LinkSupervisor links,
    HolderBell bell,
    IDescriptorStore store,
    ReadinessLoop loop,
    IPeerInspector inspector,
    TimeProvider time,
    Random random,
    IOptions<DaemonOptions> options,
    ILogger<StartupRehearsal> logger)
{
    private const int QueueSize = 64;
    private const int Buffers = 16;
    private const string PlayedArea = ".rehearsal"; // No user's name begins so.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly Ipv4Prefix s_anyAddress = Ipv4Prefix.Parse("192.0.2.1/24", null); // For documentation (RFC 5737): nobody's.

    /// <summary>Plays; a fault is logged and no reason not to start.</summary>
    internal async Task RunAsync(CancellationToken cancellation)
    {
        var stage = new Ledger(time, random);
        stage.Open(ledger.Devices, null);
        foreach (Binding taken in ledger.All())
        {
            stage.Add(taken);
        }

        foreach (IDevice device in ledger.Devices.Where(static device => device is { Kind: "soft" or "soft-block", IsUp: true }))
        {
            long start = Stopwatch.GetTimestamp();
            try
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                limit.CancelAfter(s_patience);
                await PlayAsync(stage, device, limit.Token).ConfigureAwait(false);
                logger.LogInformation("Device {Device}: a bind was played through in {Milliseconds:0} ms.", device.Options.Name, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
            catch (Exception e) when (!cancellation.IsCancellationRequested && e is not OutOfMemoryException)
            {
                logger.LogInformation("Device {Device}: no bind was played through, so the first may take longer: {Fault}", device.Options.Name, e.Message);
            }
        }
    }

    private async Task PlayAsync(Ledger stage, IDevice device, CancellationToken cancellation)
    {
        (UnixSocket client, UnixSocket server) = UnixSocket.Pair(UnixSocketKind.SequencedPacket);
        PeerIdentity peer = inspector.TryInspect(server)!; // this process
        LocatedArea? area = device is IBlockDevice block ? AreaOf(block, peer) : null;
        AreaDirectory stageAreas = area is null ? areas : new AreaDirectory(options, time, NullLogger<AreaDirectory>.Instance) { Played = area };
        var rule = new PolicyRule { Name = "rehearsal", Anyone = true, Devices = [device.Options.Name], Areas = [PlayedArea], VirtualFunctions = int.MaxValue, MemoryBytes = long.MaxValue, Administrator = true };
        var policy = new PolicyStore(new PolicyDocument { Rules = [rule] });
        var bindings = new BindingService(stage, policy, builder, links, bell, stageAreas, store, loop, time, NullLogger<BindingService>.Instance);
        using var areaService = new AreaService(stageAreas, stage, policy, NullLogger<AreaService>.Instance);
        var registry = new SessionRegistry(options.Value.Limits, time, bindings);
        var handler = new RequestHandler(stage, bindings, areaService, policy, NullLogger<RequestHandler>.Instance);
        var services = new SessionServices(inspector, handler, registry, loop, time, NullLogger.Instance, options.Value.Limits.RequestsInFlight);
        var session = new ControlSession(server, peer, services, cancellation);
        Task serving = ServeAsync(session, registry);
        try
        {
            _ = await AskAsync<HelloReply>(client, new HelloRequest { Id = 1, Version = ControlProtocol.Version }, cancellation).ConfigureAwait(false);
            BindingGrant grant = device is INicDevice nic
                ? (await AskAsync<BindNicReply>(client, NicRequest(nic.Options), cancellation).ConfigureAwait(false)).Grant
                : (await AskAsync<BindStorageReply>(client, AreaRequest(device.Options), cancellation).ConfigureAwait(false)).Grant;
            _ = await AskAsync<BindingsReply>(client, new ListBindingsRequest { Id = 3 }, cancellation).ConfigureAwait(false);
            _ = await AskAsync<DevicesReply>(client, new ListDevicesRequest { Id = 4 }, cancellation).ConfigureAwait(false);
            _ = await AskAsync<AreasReply>(client, new ListAreasRequest { Id = 5 }, cancellation).ConfigureAwait(false);
            _ = await AskAsync<DoneReply>(client, new ReleaseRequest { Id = 6, BindingId = grant.BindingId, Generation = grant.Generation }, cancellation).ConfigureAwait(false);
        }
        finally
        {
            client.Dispose();
            await serving.ConfigureAwait(false);
        }
    }

    private static LocatedArea AreaOf(IBlockDevice device, PeerIdentity peer) =>
        device.GeometryOf(0) is { } geometry
            ? new LocatedArea(device, geometry, PlayedArea, peer.UserId, SharedRead: true, [new BlockExtent(0, 1)], Function: null)
            : throw DeviceErrors.Unavailable(device.Options.Name, "has not told how many blocks it has");

    private static BindNicRequest NicRequest(NicDeviceOptions device) => new()
    {
        Id = 2,
        Device = device.Name,
        QueueSize = Math.Min(QueueSize, device.QueueSizeMax),
        Buffers = Buffers,
        Address = device.Networks.Count == 0 ? s_anyAddress : null,
    };

    private static BindStorageRequest AreaRequest(DeviceOptions device) => new()
    {
        Id = 2,
        Area = PlayedArea,
        Access = AreaAccess.Read,
        QueueSize = Math.Min(QueueSize, device.QueueSizeMax),
        Buffers = Buffers,
    };

    private static async Task ServeAsync(ControlSession session, SessionRegistry registry)
    {
        using (session)
        {
            registry.Enter(session);
            await session.RunAsync().ConfigureAwait(false);
            await registry.LeaveAsync(session, daemonStops: false).ConfigureAwait(false);
            await session.DrainAsync().ConfigureAwait(false);
        }
    }

    private async Task<T> AskAsync<T>(UnixSocket client, ControlRequest request, CancellationToken cancellation)
        where T : ControlReply
    {
        _ = client.TrySend(MessageCodec.Encode(request));
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        while (true)
        {
            if (client.TryReceive(buffer) is not { } message)
            {
                await loop.WaitAsync(client.Descriptor, Readiness.Read, cancellation).ConfigureAwait(false);
                continue;
            }

            message.CloseDescriptors();
            return MessageCodec.DecodeReply(buffer.AsSpan(0, message.Length)) switch
            {
                T wanted => wanted,
                ErrorReply error => throw new IOException(error.Cause),
                var other => throw new IOException($"{other.GetType().Name} came for {request.GetType().Name}."),
            };
        }
    }
}
