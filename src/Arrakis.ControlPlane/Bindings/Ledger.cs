using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Hosting;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Policy;
using Arrakis.Wire;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>What a reservation gives: everything but memory and descriptors.</summary>
internal abstract record Reservation(int Function, ulong BindingId, uint Generation, PolicyRule Rule, QueueMemoryPlan Plan)
{
    /// <summary>The device.</summary>
    internal abstract IDevice On { get; }
}

/// <summary>A NIC's function.</summary>
internal sealed record NicReservation(
    INicDevice Device, int Function, ulong BindingId, uint Generation, MacAddress Mac, Ipv4Prefix Address, RateSpecifier? Rate, PolicyRule Rule, QueueMemoryPlan Plan)
    : Reservation(Function, BindingId, Generation, Rule, Plan)
{
    /// <inheritdoc/>
    internal override IDevice On => Device;
}

/// <summary>A storage area, and a block device's function for it.</summary>
internal sealed record AreaReservation(LocatedArea Area, AreaAccess Access, int Function, ulong BindingId, uint Generation, PolicyRule Rule, QueueMemoryPlan Plan)
    : Reservation(Function, BindingId, Generation, Rule, Plan)
{
    /// <inheritdoc/>
    internal override IDevice On => Area.Device;
}

/// <summary>
/// Who has what. Every change of it is one short step under one lock, so that no two requests get the same thing; nothing
/// slow happens in here.
/// </summary>
internal sealed partial class Ledger(TimeProvider time, Random random)
{
    private const int MacTries = 1000;
    private const long MaxBitsPerSecond = 1_000_000_000_000; // So that sums cannot overflow; no port is faster.

    // The longest frame and some.
    private const int MinBurstBytes = 2048;
    private const ulong ChosenMacPrefix = 0x02_41_52_00_00_00; // Locally administered, unicast.

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Binding> _bindings = [];
    private readonly Dictionary<ulong, Claim> _claims = [];
    private readonly Dictionary<string, uint[]> _generations = [];
    private readonly List<IDevice> _devices = [];
    private ulong _lastId;
    private RecordFile? _record;

    internal IReadOnlyList<IDevice> Devices => _devices;

    /// <summary>Where ids and generations are remembered; what an earlier daemon wrote is taken over.</summary>
    internal void Open(IReadOnlyList<IDevice> devices, RecordFile? record)
    {
        lock (_lock)
        {
            LedgerRecord? left = record?.Read() is { } text ? LedgerRecord.TryDecode(text) : null;
            _devices.AddRange(devices);
            _record = record;

            // Without a record, ids begin where no earlier daemon's can have got to.
            _lastId = left?.LastBindingId ?? (ulong)time.GetUtcNow().ToUnixTimeSeconds() << 20;
            foreach (IDevice device in devices)
            {
                uint[] generations = new uint[device.FunctionCount];
                if (left is not null && left.Generations.TryGetValue(device.Options.Name, out uint[]? old))
                {
                    old.AsSpan(0, Math.Min(old.Length, generations.Length)).CopyTo(generations);
                }

                _generations[device.Options.Name] = generations;
            }
        }
    }

    /// <summary>Finds a device by its name.</summary>
    /// <exception cref="ArrakisException">There is none; names those that the policy lets the peer see.</exception>
    internal IDevice FindDevice(string name, PolicyDocument policy, PeerIdentity peer)
    {
        if (_devices.Find(device => device.Options.Name == name) is { } found)
        {
            return found;
        }

        string[] seen = [.. _devices.Select(device => device.Options.Name).Where(known => PolicyEngine.MaySee(policy, peer, known))];
        throw new ArrakisException(
            ErrorCode.UnknownDevice,
            $"There is no device '{name}'.",
            seen.Length == 0 ? "The policy lets you see none; ask the administrator." : $"Name one of {string.Join(", ", seen)}.");
    }

    /// <summary>Finds a NIC by its name.</summary>
    /// <exception cref="ArrakisException">There is none, or it is another kind of device.</exception>
    internal INicDevice FindNic(string name, PolicyDocument policy, PeerIdentity peer) =>
        FindDevice(name, policy, peer) as INicDevice
        ?? throw new ArrakisException(ErrorCode.InvalidRequest, $"Device '{name}' is no NIC.", "Name a NIC, or bind one of its storage areas.");

    /// <summary>Authorizes and reserves in one step.</summary>
    /// <param name="policy">The policy in force.</param>
    /// <param name="peer">Who asks.</param>
    /// <param name="request">What for.</param>
    /// <param name="plan">Its memory.</param>
    /// <param name="host">What the kernel has.</param>
    /// <param name="decide">Told each decision of the policy.</param>
    /// <exception cref="ArrakisException">Refused.</exception>
    internal NicReservation Reserve(
        PolicyDocument policy, PeerIdentity peer, BindNicRequest request, QueueMemoryPlan plan, HostAddresses host, Action<string, PolicyDecision> decide)
    {
        lock (_lock)
        {
            IEnumerable<INicDevice> candidates = request.Device is { } name ? [FindNic(name, policy, peer)] : _devices.OfType<INicDevice>();
            ArrakisException? refusal = null;
            foreach (INicDevice device in candidates)
            {
                try
                {
                    return ReserveOn(device, policy, peer, request, plan, host, decide);
                }
                catch (ArrakisException e)
                {
                    refusal ??= e;
                }
            }

            throw refusal ?? new ArrakisException(ErrorCode.UnknownDevice, "The daemon has no devices.", "Configure devices in arrakisd.json.");
        }
    }

    /// <summary>Enters a binding that was reserved, or adopted.</summary>
    internal void Add(Binding binding)
    {
        lock (_lock)
        {
            BindingGrant grant = binding.Record.Grant;
            _bindings[binding.Id] = binding;
            _claims[binding.Id] = new Claim(grant.Device, grant.VirtualFunction, binding.Record.UserId, binding.ChargedMemory)
            {
                Mac = (grant as Grant)?.Mac,
                Address = (grant as Grant)?.Address.Address,
                Rate = (grant as Grant)?.Rate?.BitsPerSecond ?? 0,
                Area = (grant as StorageGrant)?.Area,
                Access = (grant as StorageGrant)?.Access ?? default,
            };
            uint[] generations = _generations[grant.Device];
            generations[grant.VirtualFunction] = Math.Max(generations[grant.VirtualFunction], grant.Generation);
            _lastId = Math.Max(_lastId, binding.Id);
        }
    }

    /// <summary>Gives back all that a binding had reserved.</summary>
    internal void Free(ulong bindingId)
    {
        lock (_lock)
        {
            _ = _claims.Remove(bindingId);
            _ = _bindings.Remove(bindingId);
        }
    }

    internal Binding? Find(ulong bindingId)
    {
        lock (_lock)
        {
            return _bindings.GetValueOrDefault(bindingId);
        }
    }

    internal IReadOnlyList<Binding> All()
    {
        lock (_lock)
        {
            return [.. _bindings.Values.OrderBy(binding => binding.Id)];
        }
    }

    /// <summary>Whether a function of a device is reserved or bound.</summary>
    internal bool IsTaken(string device, int function)
    {
        lock (_lock)
        {
            return _claims.Values.Any(claim => claim.Device == device && claim.Function == function);
        }
    }

    /// <summary>Whether a binding has an address.</summary>
    internal bool HasAddress(Ipv4Address address)
    {
        lock (_lock)
        {
            return _claims.Values.Any(claim => claim.Address == address);
        }
    }

    /// <summary>Bindings and generations of a device's functions.</summary>
    internal IReadOnlyList<(ulong? BindingId, uint Generation)> Functions(IDevice device)
    {
        lock (_lock)
        {
            uint[] generations = _generations[device.Options.Name];
            var functions = new (ulong? BindingId, uint Generation)[generations.Length];
            for (int i = 0; i < functions.Length; i++)
            {
                functions[i].Generation = generations[i];
            }

            foreach ((ulong id, Claim claim) in _claims)
            {
                if (claim.Device == device.Options.Name)
                {
                    functions[claim.Function].BindingId = id;
                }
            }

            return functions;
        }
    }

    private NicReservation ReserveOn(
        INicDevice device, PolicyDocument policy, PeerIdentity peer, BindNicRequest request, QueueMemoryPlan plan, HostAddresses host, Action<string, PolicyDecision> decide)
    {
        string name = device.Options.Name;
        var question = new PolicyQuestion(name, request.QueueSize, plan.ChargedLength, request.Rate, request.Mac, request.Address?.Address);
        PolicyDecision decision = PolicyEngine.Decide(policy, peer, question, UsageOf(peer.UserId));
        decide(name, decision);
        if (decision is not { Rule: { } rule, Refusal: null })
        {
            throw decision.Refusal!;
        }

        CheckQueues(device.Options, request.QueueSize, request.QueuePairs);
        int function = FindFreeFunction(device);
        RateSpecifier? rate = ChooseRate(device, rule, request.Rate, peer.UserId);
        Ipv4Prefix address = request.Address is { } wanted
            ? CheckAddress(device, wanted, host)
            : ChooseAddress(device, rule, host);
        MacAddress mac = request.Mac is { } wantedMac ? CheckMac(wantedMac, host) : ChooseMac(rule, host);
        (ulong id, uint generation) = Number(name, function);
        _claims[id] = new Claim(name, function, peer.UserId, plan.ChargedLength) { Mac = mac, Address = address.Address, Rate = rate?.BitsPerSecond ?? 0 };
        return new NicReservation(device, function, id, generation, mac, address, rate, rule, device.OwnRingFormat is { } format ? QueueMemoryPlan.For(request, format) : plan);
    }

    private static void CheckQueues(DeviceOptions options, int queueSize, int queues)
    {
        if (queueSize > options.QueueSizeMax)
        {
            throw new ArrakisException(ErrorCode.QueuesExhausted, $"Device '{options.Name}' has rings of at most {options.QueueSizeMax} descriptors, not {queueSize}.", "Ask for smaller rings.");
        }

        if (queues > options.QueuePairsMax)
        {
            throw DeviceErrors.TooFewQueuePairs(options.Name, options.QueuePairsMax, queues);
        }
    }

    private (ulong Id, uint Generation) Number(string device, int function)
    {
        ulong id = ++_lastId;
        uint generation = ++_generations[device][function];
        _record?.Write(new LedgerRecord { LastBindingId = _lastId, Generations = _generations }.Encode());
        return (id, generation);
    }

    private UserUsage UsageOf(uint user)
    {
        var usage = new UserUsage();
        foreach (Claim claim in _claims.Values)
        {
            if (claim.UserId == user)
            {
                usage = new UserUsage(usage.VirtualFunctions + 1, usage.MemoryBytes + claim.Memory, usage.RateBitsPerSecond + claim.Rate);
            }
        }

        return usage;
    }

    private int FindFreeFunction(IDevice device)
    {
        string name = device.Options.Name;
        int unavailable = 0;
        for (int function = 0; function < device.FunctionCount; function++)
        {
            if (!_claims.Values.Any(claim => claim.Device == name && claim.Function == function))
            {
                if (device.IsAvailable(function))
                {
                    return function;
                }

                unavailable++;
            }
        }

        throw unavailable == 0
            ? new ArrakisException(ErrorCode.NoFreeVirtualFunction, $"All {device.FunctionCount} virtual functions of device '{name}' are bound.", "Release one, or configure more functions.")
            : new ArrakisException(
                ErrorCode.NoFreeVirtualFunction,
                $"No virtual function of device '{name}' is free: {unavailable} of {device.FunctionCount} are gone, or in quarantine because a former holder still has them open.",
                "End the processes that held them, or configure \"quarantine\": \"kill\"; the daemon's log names the functions.");
    }

    private RateSpecifier? ChooseRate(INicDevice device, PolicyRule rule, RateSpecifier? wanted, uint user)
    {
        if (wanted is { BitsPerSecond: <= 0 or > MaxBitsPerSecond } or { BurstBytes: < MinBurstBytes })
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"A rate of {wanted.BitsPerSecond} bit/s with a burst of {wanted.BurstBytes} bytes cannot be.", $"Ask for a rate of 1 to {MaxBitsPerSecond} bit/s and a burst of at least {MinBurstBytes} bytes.");
        }

        string name = device.Options.Name;
        long left = long.MaxValue;
        if (device.Options.RateBitsPerSecond is { } total)
        {
            left = total - _claims.Values.Where(claim => claim.Device == name).Sum(claim => claim.Rate);
        }

        long given = rule.RateBitsPerSecond is { } limit ? limit - UsageOf(user).RateBitsPerSecond : long.MaxValue;
        if (wanted is null && given == long.MaxValue && left == long.MaxValue)
        {
            return null;
        }

        // Left open: an equal share of the device and of the rule, as far as they are left.
        long share = device.Options.RateBitsPerSecond is { } all ? all / device.FunctionCount : long.MaxValue;
        long ruleShare = rule.RateBitsPerSecond is { } ruleTotal ? Math.Max(1, ruleTotal / Math.Max(1, rule.VirtualFunctions)) : long.MaxValue;
        long rate = wanted?.BitsPerSecond ?? Math.Min(Math.Min(given, ruleShare), Math.Min(share, left));
        if (rate > left || rate <= 0)
        {
            throw new ArrakisException(ErrorCode.RateExhausted, $"Device '{name}' has {Math.Max(left, 0)} bit/s left of {device.Options.RateBitsPerSecond}.", "Ask for a lower rate, or release a binding.");
        }

        return new RateSpecifier(rate, wanted?.BurstBytes ?? rule.BurstBytes);
    }

    private Ipv4Prefix CheckAddress(INicDevice device, Ipv4Prefix wanted, HostAddresses host)
    {
        IReadOnlyList<Ipv4Prefix> networks = device.Options.Networks;
        bool isHost = wanted.PrefixLength >= 31 || (wanted.Address != wanted.Network && wanted.Address != wanted.DirectedBroadcast);
        if (!wanted.Address.IsUnicast || !isHost)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{wanted} is not an address that one host may have.", "Ask for a host's address in the network, or leave it out.");
        }

        if (networks.Count > 0 && !networks.Any(network => network.Contains(wanted.Address) && network.PrefixLength == wanted.PrefixLength))
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{wanted} is not of the networks of device '{device.Options.Name}'.", $"Ask for an address of {string.Join(", ", networks.Select(network => $"{network.Network}/{network.PrefixLength}"))}.");
        }

        return WhoHas(device, wanted.Address, host) is { } owner
            ? throw new ArrakisException(ErrorCode.AddressTaken, $"Address {wanted.Address} is {owner}'s.", "Ask for another, or leave it out.")
            : wanted;
    }

    private Ipv4Prefix ChooseAddress(INicDevice device, PolicyRule rule, HostAddresses host)
    {
        foreach (Ipv4Prefix network in device.Options.Networks)
        {
            IEnumerable<Ipv4Prefix> ranges = rule.Addresses.Count == 0
                ? [network]
                : rule.Addresses.Where(prefix => network.Contains(prefix.Network) || prefix.Contains(network.Network))
                    .Select(prefix => prefix.PrefixLength > network.PrefixLength ? prefix : network);
            foreach (Ipv4Prefix range in ranges)
            {
                for (ulong value = range.Network.Value; value <= range.DirectedBroadcast.Value; value++)
                {
                    var address = new Ipv4Address((uint)value);
                    bool isHost = network.PrefixLength >= 31 || (address != network.Network && address != network.DirectedBroadcast);
                    if (isHost && address.IsUnicast && WhoHas(device, address, host) is null)
                    {
                        return new Ipv4Prefix(address, network.PrefixLength);
                    }
                }
            }
        }

        throw new ArrakisException(
            ErrorCode.AddressTaken,
            $"No free address is left in the networks of device '{device.Options.Name}' that rule '{rule.Name}' allows.",
            "Name an address, release a binding, or configure a larger network.");
    }

    private string? WhoHas(INicDevice device, Ipv4Address address, HostAddresses host)
    {
        if (host.Ip.TryGetValue(address, out string? owner))
        {
            return $"the kernel's interface {owner}";
        }

        if (device.Options.Gateway == address)
        {
            return "the gateway";
        }

        foreach ((ulong id, Claim claim) in _claims)
        {
            if (claim.Address == address)
            {
                return $"binding {id}";
            }
        }

        return null;
    }

    private MacAddress CheckMac(MacAddress wanted, HostAddresses host)
    {
        if (!wanted.IsUnicast)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{wanted} is not a unicast MAC address.", "Ask for one such as 02:00:00:00:00:01, or leave it out.");
        }

        return WhoHas(wanted, host) is { } owner
            ? throw new ArrakisException(ErrorCode.MacAddressTaken, $"MAC address {wanted} is {owner}'s.", "Ask for another, or leave it out.")
            : wanted;
    }

    private MacAddress ChooseMac(PolicyRule rule, HostAddresses host)
    {
        if (rule.Macs.Kind == MacRuleKind.Listed)
        {
            foreach (MacAddress listed in rule.Macs.List)
            {
                if (WhoHas(listed, host) is null)
                {
                    return listed;
                }
            }

            throw new ArrakisException(ErrorCode.MacAddressTaken, $"All MAC addresses that rule '{rule.Name}' lists are taken.", "Release a binding, or ask the administrator for more.");
        }

        for (int i = 0; i < MacTries; i++)
        {
            var mac = new MacAddress(ChosenMacPrefix | (uint)random.Next(1 << 24));
            if (WhoHas(mac, host) is null)
            {
                return mac;
            }
        }

        throw new ArrakisException(ErrorCode.MacAddressTaken, "No free MAC address was found.", "Name one.");
    }

    private string? WhoHas(MacAddress mac, HostAddresses host)
    {
        if (host.Mac.TryGetValue(mac, out string? owner))
        {
            return $"the kernel's interface {owner}";
        }

        foreach ((ulong id, Claim claim) in _claims)
        {
            if (claim.Mac == mac)
            {
                return $"binding {id}";
            }
        }

        return null;
    }

    private sealed record Claim(string Device, int Function, uint UserId, long Memory)
    {
        /// <summary>A NIC's.</summary>
        public MacAddress? Mac { get; init; }

        /// <summary>A NIC's.</summary>
        public Ipv4Address? Address { get; init; }

        /// <summary>Bits per second.</summary>
        public long Rate { get; init; }

        /// <summary>A storage area's name.</summary>
        public string? Area { get; init; }

        /// <summary>What is done with the storage area.</summary>
        public AreaAccess Access { get; init; }
    }
}
