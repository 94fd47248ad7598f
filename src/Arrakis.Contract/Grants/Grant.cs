using System.Text.Json.Serialization;
using Arrakis.Contract.Json;
using Arrakis.Wire;
using Arrakis.Wire.Virtio;

namespace Arrakis.Contract;

/// <summary>Which way a queue carries packets, seen from the application.</summary>
public enum QueueDirection
{
    /// <summary>From the device.</summary>
    Receive,

    /// <summary>To the device.</summary>
    Transmit,
}

/// <summary>One ring of a grant.</summary>
/// <param name="Direction">Which way it carries packets.</param>
/// <param name="Ring">Its format, and where its areas lie in queue memory.</param>
/// <param name="KickDescriptor">Place of its doorbell eventfd among the grant's descriptors.</param>
/// <param name="EventDescriptor">Place of the eventfd that the device raises for it: one for both rings of a pair, so that each poller sleeps by itself.</param>
public sealed record QueueGrant(QueueDirection Direction, VirtqueueLayout Ring, int KickDescriptor, int EventDescriptor = Grant.EventDescriptor);

/// <summary>The queue memory of a grant.</summary>
/// <param name="Length">Bytes of the memfd.</param>
/// <param name="PageSize">Bytes of its pages: 2 MiB, or 4 KiB where no hugepages were left.</param>
/// <param name="IovaBase">Device address of the first byte.</param>
/// <param name="BufferOffset">First byte of the packet buffers; page aligned.</param>
/// <param name="BufferLength">Bytes of packet buffers; each queue pair has an equal part, in their order.</param>
/// <param name="BufferSize">Bytes of one buffer, the virtio-net header included: whole cache lines of 64.</param>
public sealed record MemoryGrant(long Length, int PageSize, ulong IovaBase, long BufferOffset, long BufferLength, int BufferSize);

/// <summary>How fast a binding may send.</summary>
/// <param name="BitsPerSecond">Long-term rate, over frames as they are in memory (no preamble, gap or check sequence).</param>
/// <param name="BurstBytes">Depth of the token bucket.</param>
public sealed record RateSpecifier(long BitsPerSecond, int BurstBytes);

/// <summary>What a bind returns: all that the data plane needs to run the rings without the control plane.</summary>
public sealed record Grant : IJsonOnDeserialized
{
    /// <summary>Place of the queue memory among the descriptors.</summary>
    public const int MemoryDescriptor = 0;

    /// <summary>Place of the status page (read-only) among the descriptors.</summary>
    public const int StatusDescriptor = 1;

    /// <summary>Place of the first queue pair's event eventfd, which the device raises towards the application.</summary>
    public const int EventDescriptor = 2;

    /// <summary>The binding.</summary>
    public required ulong BindingId { get; init; }

    /// <summary>Grows each time a virtual function goes to a new holder.</summary>
    public required uint Generation { get; init; }

    /// <summary>The device's name in the daemon's configuration.</summary>
    public required string Device { get; init; }

    /// <summary>The virtual function's index in the device.</summary>
    public required int VirtualFunction { get; init; }

    /// <summary>Hardware address.</summary>
    public required MacAddress Mac { get; init; }

    /// <summary>IPv4 address and network.</summary>
    public required Ipv4Prefix Address { get; init; }

    /// <summary>Where frames for other networks go, if anywhere.</summary>
    public Ipv4Address? Gateway { get; init; }

    /// <summary>Largest IP packet in bytes.</summary>
    public required int Mtu { get; init; }

    /// <summary>Features negotiated with the device.</summary>
    public required VirtioFeatures Features { get; init; }

    /// <summary>Queue memory.</summary>
    public required MemoryGrant Memory { get; init; }

    /// <summary>Rings, in pairs: receive, transmit, receive, transmit and so on.</summary>
    public required IReadOnlyList<QueueGrant> Queues { get; init; }

    /// <summary>How the device spreads what comes over the queue pairs; null where that is not known, or there is one pair.</summary>
    public FlowSteering? Steering { get; init; }

    /// <summary>How many queue pairs were granted.</summary>
    [JsonIgnore]
    public int QueuePairs => Queues.Count / 2;

    /// <summary>Sending limit, if there is one.</summary>
    public RateSpecifier? Rate { get; init; }

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Queues, nameof(Queues));
}
