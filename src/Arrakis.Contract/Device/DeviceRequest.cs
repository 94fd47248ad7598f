using System.Text.Json.Serialization;
using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.Wire;

namespace Arrakis.Contract.Device;

/// <summary>What the daemon asks of a software device, on the device's management socket (SOCK_SEQPACKET, JSON, as the control socket).</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(ConfigurePortRequest), "configure-port")]
[JsonDerivedType(typeof(ClearPortRequest), "clear-port")]
[JsonDerivedType(typeof(ConfigureBlockPortRequest), "configure-block-port")]
[JsonDerivedType(typeof(ClearBlockPortRequest), "clear-block-port")]
[JsonDerivedType(typeof(AttachUplinkRequest), "attach-uplink")]
[JsonDerivedType(typeof(ReadCountersRequest), "read-counters")]
[JsonDerivedType(typeof(ReadBlockCountersRequest), "read-block-counters")]
[JsonDerivedType(typeof(DeviceTestRequest), "run-test")]
public abstract record DeviceRequest
{
    /// <summary>Grows strictly on a connection.</summary>
    public required ulong Id { get; init; }
}

/// <summary>Gives a virtual function's port its identity and limits; its counters start from zero.</summary>
public sealed record ConfigurePortRequest : DeviceRequest, IJsonOnDeserialized
{
    /// <summary>The virtual function.</summary>
    public required int Port { get; init; }

    /// <summary>The only source MAC it may use, and the MAC it receives for.</summary>
    public required MacAddress Mac { get; init; }

    /// <summary>The only source address it may use in IPv4 and ARP.</summary>
    public required Ipv4Address Address { get; init; }

    /// <summary>Further predicates.</summary>
    public IReadOnlyList<FilterRule> Filter { get; set; } = [];

    /// <summary>Sending limit.</summary>
    public RateSpecifier? Rate { get; init; }

    /// <summary>Whether counters are kept, as after a restart of the daemon.</summary>
    public bool KeepCounters { get; init; }

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Filter, nameof(Filter));
}

/// <summary>Takes a port's identity: nothing is switched from or to it.</summary>
public sealed record ClearPortRequest : DeviceRequest
{
    /// <summary>The virtual function.</summary>
    public required int Port { get; init; }
}

/// <summary>Makes a block function show an area: a disk of that many blocks, from 0 on, and nothing beside it; its counters start from zero.</summary>
public sealed record ConfigureBlockPortRequest : DeviceRequest
{
    /// <summary>The block function.</summary>
    public required int Port { get; init; }

    /// <summary>Where the area's blocks are in the backing file, in their order.</summary>
    public required IReadOnlyList<BlockExtent> Extents { get; init; }

    /// <summary>Whether writes are refused.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Whether counters are kept, as after a restart of the daemon.</summary>
    public bool KeepCounters { get; init; }
}

/// <summary>Takes a block function's area: all its requests are refused.</summary>
public sealed record ClearBlockPortRequest : DeviceRequest
{
    /// <summary>The block function.</summary>
    public required int Port { get; init; }
}

/// <summary>Gives the device its uplink: the TAP's descriptor travels beside the message.</summary>
public sealed record AttachUplinkRequest : DeviceRequest;

/// <summary>Asks for the counters of all ports of the switch.</summary>
public sealed record ReadCountersRequest : DeviceRequest;

/// <summary>Asks for the counters of all block functions.</summary>
public sealed record ReadBlockCountersRequest : DeviceRequest;

/// <summary>Runs the tester; the reply comes at its end.</summary>
public sealed record DeviceTestRequest : DeviceRequest
{
    /// <summary>What to do.</summary>
    public required TestPlan Plan { get; init; }
}

/// <summary>What a software device answers.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(DeviceDoneReply), "done")]
[JsonDerivedType(typeof(DeviceCountersReply), "counters")]
[JsonDerivedType(typeof(DeviceBlockCountersReply), "block-counters")]
[JsonDerivedType(typeof(DeviceTestReply), "test")]
[JsonDerivedType(typeof(DeviceErrorReply), "error")]
public abstract record DeviceReply
{
    /// <summary>The request's id.</summary>
    public required ulong Id { get; init; }
}

/// <summary>It is done.</summary>
public sealed record DeviceDoneReply : DeviceReply;

/// <summary>Answers <see cref="ReadCountersRequest"/>.</summary>
public sealed record DeviceCountersReply : DeviceReply, IJsonOnDeserialized
{
    /// <summary>Counters by port: vf0, vf1, ..., uplink, tester.</summary>
    public required IReadOnlyDictionary<string, PortCounters> Ports { get; init; }

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Ports.Values, nameof(Ports));
}

/// <summary>Answers <see cref="ReadBlockCountersRequest"/>.</summary>
public sealed record DeviceBlockCountersReply : DeviceReply, IJsonOnDeserialized
{
    /// <summary>Counters of each block function, from the first on.</summary>
    public required IReadOnlyList<BlockCounters> Functions { get; init; }

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Functions, nameof(Functions));
}

/// <summary>Answers <see cref="DeviceTestRequest"/>.</summary>
public sealed record DeviceTestReply : DeviceReply
{
    /// <summary>What was measured.</summary>
    public required TestResult Result { get; init; }
}

/// <summary>The request is refused or failed.</summary>
public sealed record DeviceErrorReply : DeviceReply
{
    /// <summary>The stable name of the fault.</summary>
    public required ErrorCode Code { get; init; }

    /// <summary>What is wrong.</summary>
    public required string Cause { get; init; }

    /// <summary>What to do about it.</summary>
    public required string Remedy { get; init; }
}
