using System.Text.Json.Serialization;
using Arrakis.Contract.Json;
using Arrakis.Wire;

namespace Arrakis.Contract.Control;

/// <summary>What the daemon answers.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(HelloReply), "hello")]
[JsonDerivedType(typeof(BindNicReply), "bind-nic")]
[JsonDerivedType(typeof(BindStorageReply), "bind-storage")]
[JsonDerivedType(typeof(AreasReply), "areas")]
[JsonDerivedType(typeof(DoneReply), "done")]
[JsonDerivedType(typeof(BindingsReply), "bindings")]
[JsonDerivedType(typeof(DevicesReply), "devices")]
[JsonDerivedType(typeof(TestReply), "test")]
[JsonDerivedType(typeof(ErrorReply), "error")]
public abstract record ControlReply
{
    /// <summary>The request's id; zero where the request could not be read.</summary>
    public required ulong Id { get; init; }
}

/// <summary>Answers <see cref="HelloRequest"/>.</summary>
public sealed record HelloReply : ControlReply
{
    /// <summary>The version that the daemon speaks.</summary>
    public required int Version { get; init; }

    /// <summary>The daemon's build.</summary>
    public required string Daemon { get; init; }
}

/// <summary>Answers <see cref="BindNicRequest"/>; the grant's descriptors travel beside it.</summary>
public sealed record BindNicReply : ControlReply
{
    /// <summary>The grant.</summary>
    public required Grant Grant { get; init; }
}

/// <summary>It is done.</summary>
public sealed record DoneReply : ControlReply;

/// <summary>Answers <see cref="ListBindingsRequest"/> and <see cref="DescribeRequest"/>.</summary>
public sealed record BindingsReply : ControlReply, IJsonOnDeserialized
{
    /// <summary>The bindings.</summary>
    public required IReadOnlyList<BindingDescription> Bindings { get; init; }

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Bindings, nameof(Bindings));
}

/// <summary>Answers <see cref="ListDevicesRequest"/>.</summary>
public sealed record DevicesReply : ControlReply, IJsonOnDeserialized
{
    /// <summary>The devices.</summary>
    public required IReadOnlyList<DeviceDescription> Devices { get; init; }

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Devices, nameof(Devices));
}

/// <summary>Answers <see cref="RunTestRequest"/>.</summary>
public sealed record TestReply : ControlReply
{
    /// <summary>What was measured.</summary>
    public required TestResult Result { get; init; }
}

/// <summary>The request is refused or failed.</summary>
public sealed record ErrorReply : ControlReply
{
    /// <summary>The stable name of the fault.</summary>
    public required ErrorCode Code { get; init; }

    /// <summary>What is wrong.</summary>
    public required string Cause { get; init; }

    /// <summary>What to do about it.</summary>
    public required string Remedy { get; init; }
}

/// <summary>A binding, as an administrator or its holder sees it.</summary>
public sealed record BindingDescription
{
    /// <summary>The binding.</summary>
    public required ulong BindingId { get; init; }

    /// <summary>Its generation.</summary>
    public required uint Generation { get; init; }

    /// <summary>Its state.</summary>
    public required BindingState State { get; init; }

    /// <summary>The device.</summary>
    public required string Device { get; init; }

    /// <summary>The virtual function.</summary>
    public required int VirtualFunction { get; init; }

    /// <summary>The holder's process.</summary>
    public required int ProcessId { get; init; }

    /// <summary>The holder's user.</summary>
    public required uint UserId { get; init; }

    /// <summary>The holder's program.</summary>
    public required string Executable { get; init; }

    /// <summary>Hardware address; of a NIC's.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>IPv4 address and network; of a NIC's.</summary>
    public Ipv4Prefix? Address { get; init; }

    /// <summary>The storage area; of a storage binding.</summary>
    public string? Area { get; init; }

    /// <summary>What the holder may do with the storage area.</summary>
    public AreaAccess? Access { get; init; }

    /// <summary>Its queue pairs, or block queues.</summary>
    public int QueuePairs { get; set; } = 1;

    /// <summary>Bytes of queue memory.</summary>
    public required long MemoryLength { get; init; }

    /// <summary>Bytes of its pages.</summary>
    public required int PageSize { get; init; }

    /// <summary>Sending limit.</summary>
    public RateSpecifier? Rate { get; init; }

    /// <summary>Whether the link is up.</summary>
    public required bool LinkUp { get; init; }

    /// <summary>Accesses outside of its memory that the IOMMU has blocked and the kernel has logged, since the daemon started.</summary>
    public long DmaFaults { get; set; }

    /// <summary>When it was bound.</summary>
    public required DateTimeOffset BoundAt { get; init; }
}

/// <summary>A device.</summary>
public sealed record DeviceDescription : IJsonOnDeserialized
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its kind, such as soft or vhost-user.</summary>
    public required string Kind { get; init; }

    /// <summary>Whether it answers.</summary>
    public required bool Up { get; init; }

    /// <summary>The device process, where the daemon runs one.</summary>
    public int? ProcessId { get; init; }

    /// <summary>How often the daemon had to start it again.</summary>
    public required int Restarts { get; init; }

    /// <summary>The kernel's interface on the uplink, if there is one.</summary>
    public string? Uplink { get; init; }

    /// <summary>Its virtual functions.</summary>
    public required IReadOnlyList<VirtualFunctionDescription> VirtualFunctions { get; init; }

    /// <summary>Counters of ports that are no virtual functions (uplink, tester), by port.</summary>
    public required IReadOnlyDictionary<string, PortCounters> Ports { get; init; }

    void IJsonOnDeserialized.OnDeserialized()
    {
        NullElements.Refuse(VirtualFunctions, nameof(VirtualFunctions));
        NullElements.Refuse(Ports.Values, nameof(Ports));
    }
}

/// <summary>A virtual function.</summary>
public sealed record VirtualFunctionDescription
{
    /// <summary>Its index.</summary>
    public required int Index { get; init; }

    /// <summary>The binding that has it, if one does.</summary>
    public ulong? BindingId { get; init; }

    /// <summary>How often it was granted.</summary>
    public required uint Generation { get; init; }

    /// <summary>Counters since the device started or the function was granted, whichever is later; zeros of a block function.</summary>
    public required PortCounters Counters { get; init; }

    /// <summary>The same of a block function; null of one of a NIC.</summary>
    public BlockCounters? BlockCounters { get; init; }
}

/// <summary>A port's counters, seen from the switch.</summary>
public sealed record PortCounters : IJsonOnDeserialized
{
    /// <summary>Frames taken from the port.</summary>
    public long FramesIn { get; init; }

    /// <summary>Bytes taken from the port.</summary>
    public long BytesIn { get; init; }

    /// <summary>Frames delivered to the port.</summary>
    public long FramesOut { get; init; }

    /// <summary>Bytes delivered to the port.</summary>
    public long BytesOut { get; init; }

    /// <summary>Frames dropped, by reason.</summary>
    public IReadOnlyDictionary<string, long> Drops { get; set; } = new Dictionary<string, long>();

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Drops, nameof(Drops));
}
