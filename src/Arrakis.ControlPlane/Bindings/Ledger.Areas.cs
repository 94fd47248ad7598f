using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Policy;

namespace Arrakis.ControlPlane.Bindings;

/// <content>Who has which storage area.</content>
internal sealed partial class Ledger
{
    private readonly HashSet<(IBlockDevice Device, string Area)> _heldAreas = [];

    /// <summary>Authorizes and reserves a storage area in one step.</summary>
    /// <param name="policy">The policy in force.</param>
    /// <param name="peer">Who asks.</param>
    /// <param name="request">What for.</param>
    /// <param name="find">Finds an area as it is now, and takes no time for it.</param>
    /// <param name="decide">Told the policy's decision.</param>
    /// <exception cref="ArrakisException">Refused.</exception>
    internal AreaReservation Reserve(
        PolicyDocument policy, PeerIdentity peer, BindStorageRequest request, Func<string, LocatedArea?> find, Action<string, PolicyDecision> decide)
    {
        lock (_lock)
        {
            bool seesAll = PolicyEngine.FindAdministratorRule(policy, peer) is not null;
            LocatedArea area = find(request.Area) is { } found && (seesAll || AreaService.MaySee(policy, peer, found)) ? found : throw AreaService.Unknown(request.Area);
            IBlockDevice device = area.Device;
            string name = device.Options.Name;
            var plan = QueueMemoryPlan.For(request, device.RingFormat, area.Geometry.MaxTransferLength);
            var question = new PolicyQuestion(name, request.QueueSize, plan.ChargedLength, null, null, null) { Area = area.Name, Access = request.Access };
            PolicyDecision decision = PolicyEngine.Decide(policy, peer, question, UsageOf(peer.UserId));
            decide(name, decision);
            if (decision is not { Rule: { } rule, Refusal: null })
            {
                throw decision.Refusal!;
            }

            CheckQueues(device.Options, request.QueueSize, request.Queues);
            CheckAccess(area, request.Access, peer.UserId);
            int function = area.Function ?? FindFreeFunction(device);
            (ulong id, uint generation) = Number(name, function);
            _claims[id] = new Claim(name, function, peer.UserId, plan.ChargedLength) { Area = area.Name, Access = request.Access };
            return new AreaReservation(area, request.Access, function, id, generation, rule, plan);
        }
    }

    /// <summary>Keeps an area from being bound until the result is disposed.</summary>
    /// <exception cref="ArrakisException">It is bound (<see cref="ErrorCode.AreaInUse"/>).</exception>
    internal IDisposable HoldArea(IBlockDevice device, string area)
    {
        lock (_lock)
        {
            if (ClaimsOf(device, area) is [var (id, claim), ..])
            {
                throw InUse(area, $"binding {id} of uid {claim.UserId} has it");
            }

            if (!_heldAreas.Add((device, area)))
            {
                throw BeingChanged(area);
            }
        }

        return new AreaHold(this, device, area);
    }

    /// <summary>The bindings that have an area.</summary>
    internal IReadOnlyList<ulong> BindingsOf(IBlockDevice device, string area)
    {
        lock (_lock)
        {
            return [.. ClaimsOf(device, area).Select(static entry => entry.Key).Order()];
        }
    }

    private List<KeyValuePair<ulong, Claim>> ClaimsOf(IBlockDevice device, string area) =>
        [.. _claims.Where(entry => entry.Value.Device == device.Options.Name && entry.Value.Area == area)];

    /// <summary>One writer at a time. Beside it there are readers where others may read at all, and else none.</summary>
    private void CheckAccess(LocatedArea area, AreaAccess access, uint user)
    {
        if (!area.Allows(user, access))
        {
            throw new ArrakisException(
                ErrorCode.Unauthorized,
                $"Storage area '{area.Name}' is uid {area.Owner}'s; uid {user} may {(area.SharedRead ? "only read it" : "not use it")}.",
                area.SharedRead ? "Ask for reading, or let an administrator change its owner." : "Let an administrator change its owner, or the owner share it.");
        }

        IBlockDevice device = area.Device;
        if (_heldAreas.Contains((device, area.Name)))
        {
            throw BeingChanged(area.Name);
        }

        foreach ((ulong id, Claim claim) in ClaimsOf(device, area.Name))
        {
            bool bothWrite = access == AreaAccess.ReadWrite && claim.Access == AreaAccess.ReadWrite;
            bool oneWrites = access == AreaAccess.ReadWrite || claim.Access == AreaAccess.ReadWrite;
            if (bothWrite || (oneWrites && !area.SharedRead) || area.Function is not null)
            {
                throw InUse(area.Name, $"binding {id} of uid {claim.UserId} has it to {(claim.Access == AreaAccess.Read ? "read" : "write")}");
            }
        }

        // Its areas are one user's, but a binding of their former owner may be left.
        if (!device.ShowsAreas && _claims.Values.FirstOrDefault(claim => claim.Device == device.Options.Name && claim.UserId != user) is { } other)
        {
            throw AreaService.CannotShare(device, $"uid {other.UserId} has a binding of it, so uid {user} gets none");
        }
    }

    private static ArrakisException InUse(string area, string why) =>
        new(ErrorCode.AreaInUse, $"Storage area '{area}' is in use: {why}.", "Wait until it is released, or have it revoked.");

    private static ArrakisException BeingChanged(string area) =>
        new(ErrorCode.AreaInUse, $"Storage area '{area}' is just being changed.", "Try again.");

    private sealed class AreaHold(Ledger ledger, IBlockDevice device, string area) : IDisposable
    {
        public void Dispose()
        {
            lock (ledger._lock)
            {
                _ = ledger._heldAreas.Remove((device, area));
            }
        }
    }
}
