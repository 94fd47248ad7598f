using System.Text.Json.Serialization;
using Arrakis.Contract.Json;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Contract.Control;

/// <summary>What a client asks of the daemon.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(HelloRequest), "hello")]
[JsonDerivedType(typeof(BindNicRequest), "bind-nic")]
[JsonDerivedType(typeof(BindStorageRequest), "bind-storage")]
[JsonDerivedType(typeof(CreateAreaRequest), "create-area")]
[JsonDerivedType(typeof(GrowAreaRequest), "grow-area")]
[JsonDerivedType(typeof(DeleteAreaRequest), "delete-area")]
[JsonDerivedType(typeof(ChangeAreaRequest), "change-area")]
[JsonDerivedType(typeof(ListAreasRequest), "list-areas")]
[JsonDerivedType(typeof(ReleaseRequest), "release")]
[JsonDerivedType(typeof(ListBindingsRequest), "list-bindings")]
[JsonDerivedType(typeof(ListDevicesRequest), "list-devices")]
[JsonDerivedType(typeof(DescribeRequest), "describe")]
[JsonDerivedType(typeof(RevokeRequest), "revoke")]
[JsonDerivedType(typeof(RunTestRequest), "run-test")]
public abstract record ControlRequest
{
    /// <summary>Grows strictly on a connection.</summary>
    public required ulong Id { get; init; }
}

/// <summary>Opens a conversation.</summary>
public sealed record HelloRequest : ControlRequest
{
    /// <summary>The version that the client speaks.</summary>
    public required int Version { get; init; }
}

/// <summary>Binds a virtual function of a NIC.</summary>
public sealed record BindNicRequest : ControlRequest, IJsonOnDeserialized
{
    /// <summary>The device's name; null takes the first that the policy allows.</summary>
    public string? Device { get; init; }

    /// <summary>Wanted address and network; null takes the first free one that the policy allows.</summary>
    public Ipv4Prefix? Address { get; init; }

    /// <summary>Wanted hardware address; null lets the daemon choose.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Descriptors in each ring: a power of two.</summary>
    public int QueueSize { get; set; } = 256;

    /// <summary>Whether the rings are split or packed, where the device is virtio's; another device has its own format, which cannot be asked for.</summary>
    public RingFormat RingFormat { get; set; } = RingFormat.Split;

    /// <summary>Virtio features that the data plane understands: no others are negotiated, and of these those that the device offers.</summary>
    public VirtioFeatures Features { get; set; } = VirtioFeatures.Version1;

    /// <summary>Pairs of a receive and a transmit ring, 1 to <see cref="ControlProtocol.MaxQueuePairs"/>; each can be polled by a thread of its own.</summary>
    public int QueuePairs { get; set; } = 1;

    /// <summary>Packet buffers of each queue pair.</summary>
    public int Buffers { get; set; } = 2048;

    /// <summary>Wanted sending limit; null asks for what the policy gives.</summary>
    public RateSpecifier? Rate { get; init; }

    /// <summary>Frames that the VNIC may send and receive; empty means all that the policy allows.</summary>
    public IReadOnlyList<FilterRule> Filter { get; set; } = [];

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Filter, nameof(Filter));
}

/// <summary>Gives a binding back.</summary>
public sealed record ReleaseRequest : ControlRequest
{
    /// <summary>The binding.</summary>
    public required ulong BindingId { get; init; }

    /// <summary>Its generation.</summary>
    public required uint Generation { get; init; }
}

/// <summary>Lists bindings: one's own, or all for an administrator.</summary>
public sealed record ListBindingsRequest : ControlRequest;

/// <summary>Lists devices with their virtual functions and counters.</summary>
public sealed record ListDevicesRequest : ControlRequest;

/// <summary>Describes one binding.</summary>
public sealed record DescribeRequest : ControlRequest
{
    /// <summary>The binding.</summary>
    public required ulong BindingId { get; init; }
}

/// <summary>How a binding is taken back.</summary>
public enum RevocationMode
{
    /// <summary>At once, the holder is not asked.</summary>
    Invisible,

    /// <summary>The holder is asked and has a deadline, past which the binding is aborted.</summary>
    Visible,
}

/// <summary>Takes a binding back (administrators). The reply comes when it is taken, given back or aborted.</summary>
public sealed record RevokeRequest : ControlRequest
{
    /// <summary>The binding.</summary>
    public required ulong BindingId { get; init; }

    /// <summary>With or without asking.</summary>
    public RevocationMode Mode { get; set; } = RevocationMode.Invisible;

    /// <summary>Time that the holder has, in milliseconds; only of visible revocation.</summary>
    public int DeadlineMilliseconds { get; set; } = 1000;
}

/// <summary>Lets the device's tester port send UDP requests to an address and time the echoes (administrators).</summary>
public sealed record RunTestRequest : ControlRequest
{
    /// <summary>The device.</summary>
    public required string Device { get; init; }

    /// <summary>What to do.</summary>
    public required TestPlan Plan { get; init; }
}
