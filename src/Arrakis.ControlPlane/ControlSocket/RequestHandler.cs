using System.Reflection;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Policy;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.ControlSocket;

/// <summary>A reply, the descriptors that go with it, and what follows when it was or was not sent.</summary>
/// <param name="Reply">The reply.</param>
/// <param name="Binding">The binding whose grant it is, if it is one.</param>
internal readonly record struct Answer(ControlReply Reply, Binding? Binding = null);

/// <summary>Answers requests that keep the rules of the protocol. Knows nothing of sockets.</summary>
internal sealed class RequestHandler(Ledger ledger, BindingService bindings, AreaService areas, PolicyStore policy, ILogger<RequestHandler> logger)
{
    private const int MaxDeadlineMilliseconds = 3_600_000;
    private static readonly string s_build = typeof(RequestHandler).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>Answers a request; a refusal is an <see cref="ArrakisException"/>.</summary>
    /// <param name="peer">Who asks, as it is now.</param>
    /// <param name="request">What.</param>
    /// <param name="connection">Stands for the connection that bindings belong to.</param>
    /// <param name="cancellation">The connection has closed, or the daemon stops.</param>
    internal async Task<Answer> AnswerAsync(PeerIdentity peer, ControlRequest request, object connection, CancellationToken cancellation)
    {
        switch (request)
        {
            case HelloRequest hello:
                return new Answer(new HelloReply { Id = hello.Id, Version = ControlProtocol.Version, Daemon = s_build });
            case BindNicRequest bind:
                Binding made = await bindings.BindAsync(peer, bind, connection, cancellation).ConfigureAwait(false);
                return new Answer(new BindNicReply { Id = bind.Id, Grant = (Grant)made.Record.Grant }, made);
            case BindStorageRequest bind:
                Binding bound = await bindings.BindAsync(peer, bind, connection, cancellation).ConfigureAwait(false);
                return new Answer(new BindStorageReply { Id = bind.Id, Grant = (StorageGrant)bound.Record.Grant }, bound);
            case CreateAreaRequest create:
                return Areas(create, await areas.CreateAsync(peer, create, cancellation).ConfigureAwait(false));
            case GrowAreaRequest grow:
                return Areas(grow, await areas.GrowAsync(peer, grow, cancellation).ConfigureAwait(false));
            case ChangeAreaRequest change:
                return Areas(change, await areas.ChangeAsync(peer, change, cancellation).ConfigureAwait(false));
            case DeleteAreaRequest delete:
                await areas.DeleteAsync(peer, delete, cancellation).ConfigureAwait(false);
                return Done(delete);
            case ListAreasRequest listAreas:
                return Areas(listAreas, [.. areas.List(peer)]);
            case ReleaseRequest release:
                await bindings.ReleaseAsync(peer, release.BindingId, release.Generation).ConfigureAwait(false);
                return Done(release);
            case ListBindingsRequest list:
                return new Answer(new BindingsReply { Id = list.Id, Bindings = [.. Visible(peer).Select(static binding => binding.Describe())] });
            case DescribeRequest describe:
                Binding found = Visible(peer).FirstOrDefault(binding => binding.Id == describe.BindingId)
                    ?? throw new ArrakisException(ErrorCode.UnknownBinding, $"There is no binding {describe.BindingId} that uid {peer.UserId} may see.", "List the bindings (arrakisctl bindings).");
                return new Answer(new BindingsReply { Id = describe.Id, Bindings = [found.Describe()] });
            case ListDevicesRequest devices:
                return new Answer(new DevicesReply { Id = devices.Id, Devices = await DescribeDevicesAsync(peer, cancellation).ConfigureAwait(false) });
            case RevokeRequest revoke:
                RequireAdministrator(peer, $"revokes binding {revoke.BindingId}");
                if (revoke.DeadlineMilliseconds is < 0 or > MaxDeadlineMilliseconds)
                {
                    throw new ArrakisException(ErrorCode.InvalidRequest, $"A deadline of {revoke.DeadlineMilliseconds} ms cannot be.", $"Write 0 to {MaxDeadlineMilliseconds}.");
                }

                await bindings.RevokeAsync(revoke.BindingId, revoke.Mode, TimeSpan.FromMilliseconds(revoke.DeadlineMilliseconds), cancellation).ConfigureAwait(false);
                return Done(revoke);
            case RunTestRequest test:
                return new Answer(new TestReply { Id = test.Id, Result = await RunTestAsync(peer, test, cancellation).ConfigureAwait(false) });
            default:
                throw new ArrakisException(ErrorCode.InvalidRequest, $"{request.GetType().Name} is not handled.", "Use a client of the daemon's version.");
        }
    }

    private static Answer Areas(ControlRequest request, params AreaDescription[] areas) => new(new AreasReply { Id = request.Id, Areas = areas });

    private static Answer Done(ControlRequest request) => new(new DoneReply { Id = request.Id });

    private IEnumerable<Binding> Visible(PeerIdentity peer)
    {
        bool all = PolicyEngine.FindAdministratorRule(policy.Current, peer) is not null;
        return ledger.All().Where(binding => binding.Phase is not (BindingPhase.Allocating or BindingPhase.Ended) && (all || binding.Record.UserId == peer.UserId));
    }

    private async Task<TestResult> RunTestAsync(PeerIdentity peer, RunTestRequest test, CancellationToken cancellation)
    {
        RequireAdministrator(peer, $"runs a test on {test.Device}");
        INicDevice device = ledger.FindNic(test.Device, policy.Current, peer);
        CheckDurations(test.Plan);
        if (ledger.HasAddress(test.Plan.Source) || HostAddresses.Read().Ip.ContainsKey(test.Plan.Source))
        {
            throw new ArrakisException(ErrorCode.AddressTaken, $"The test's source address {test.Plan.Source} is in use.", "Name a free one.");
        }

        return await device.RunTestAsync(test.Plan, cancellation).ConfigureAwait(false);
    }

    /// <summary>How long the daemon waits for the device follows from these; the rest of a plan is the device's to judge.</summary>
    private static void CheckDurations(TestPlan plan)
    {
        foreach ((string name, int value) in new[]
        {
            ("warmupMilliseconds", plan.WarmupMilliseconds), ("durationMilliseconds", plan.DurationMilliseconds), ("lossTimeoutMilliseconds", plan.LossTimeoutMilliseconds),
        })
        {
            if (value is < 0 or > MaxDeadlineMilliseconds)
            {
                throw new ArrakisException(ErrorCode.InvalidRequest, $"{name} of {value} cannot be.", $"Write 0 to {MaxDeadlineMilliseconds}.");
            }
        }
    }

    private async Task<IReadOnlyList<DeviceDescription>> DescribeDevicesAsync(PeerIdentity peer, CancellationToken cancellation)
    {
        IEnumerable<IDevice> seen = ledger.Devices.Where(device => PolicyEngine.MaySee(policy.Current, peer, device.Options.Name));
        return await Task.WhenAll(seen.Select(device => DescribeAsync(device, cancellation))).ConfigureAwait(false);
    }

    private async Task<DeviceDescription> DescribeAsync(IDevice device, CancellationToken cancellation)
    {
        IReadOnlyDictionary<string, PortCounters> counters = new Dictionary<string, PortCounters>();
        IReadOnlyList<BlockCounters> blockCounters = [];
        var blocks = device as IBlockDevice;
        bool up = device.IsUp;
        if (up)
        {
            try
            {
                counters = await device.ReadCountersAsync(cancellation).ConfigureAwait(false);
                blockCounters = blocks is null ? [] : await blocks.ReadBlockCountersAsync(cancellation).ConfigureAwait(false);
            }
            catch (ArrakisException e)
            {
                up = false;
                logger.LogWarning("Counters of device {Device}: {Fault}", device.Options.Name, e.Message);
            }
        }

        return new DeviceDescription
        {
            Name = device.Options.Name,
            Kind = device.Kind,
            Up = up,
            ProcessId = device.ProcessId,
            Restarts = device.Restarts,
            Uplink = (device as INicDevice)?.Uplink,
            VirtualFunctions =
            [
                .. ledger.Functions(device).Select((function, index) => new VirtualFunctionDescription
                {
                    Index = index,
                    BindingId = function.BindingId,
                    Generation = function.Generation,
                    Counters = counters.GetValueOrDefault($"vf{index}") ?? new PortCounters(),
                    BlockCounters = blocks is null ? null : blockCounters.ElementAtOrDefault(index) ?? new BlockCounters(),
                }),
            ],
            Ports = counters.Where(port => !port.Key.StartsWith("vf", StringComparison.Ordinal)).ToDictionary(),
        };
    }

    private void RequireAdministrator(PeerIdentity peer, string what)
    {
        if (PolicyEngine.FindAdministratorRule(policy.Current, peer) is { } rule)
        {
            logger.LogInformation("Allowed: {Peer} {What} by rule '{Rule}'.", peer, what, rule);
            return;
        }

        logger.LogWarning("Denied: {Peer} {What}: no rule makes it an administrator.", peer, what);
        throw new ArrakisException(ErrorCode.Unauthorized, $"No rule of the policy makes uid {peer.UserId} with program {peer.Executable} an administrator.", "Run it as an administrator, or add \"administrator\": true to a rule.");
    }
}
