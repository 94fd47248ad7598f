using System.Text.Json.Serialization;
using Arrakis.Contract.Json;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
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

/// <summary>A register of a device that the data plane writes, through a mapping of the page that it is in.</summary>
/// <param name="FileOffset">Its first byte in the device's file; a multiple of its width.</param>
/// <param name="Width">Bytes: 2 or 4.</param>
/// <param name="Value">What is written where the ring itself does not give a value.</param>
public sealed record DoorbellRegister(long FileOffset, int Width, uint Value = 0)
{
    /// <summary>The largest offset: VFIO gives each of a device's regions 2^40 bytes of its file.</summary>
    public const long MaxFileOffset = 1L << 48;
}

/// <summary>One ring of a grant.</summary>
/// <param name="Direction">Which way it carries packets.</param>
/// <param name="Ring">Its format, and where its areas lie in queue memory.</param>
/// <param name="KickDescriptor">Place among the grant's descriptors of its doorbell eventfd; with a <paramref name="Doorbell"/>, of the device's file, which several rings share.</param>
/// <param name="EventDescriptor">Place of the eventfd that the device raises for it: one for both rings of a pair, so that each poller sleeps by itself.</param>
/// <param name="Doorbell">The register that is its doorbell: virtio's notification address, which takes the queue's index, or an 82576 ring's tail, which takes what the ring says. Null where the doorbell is an eventfd.</param>
/// <param name="EventArm">The register by which the device is asked for an event, and what it takes: the interrupt's bit (82576 datasheet, VTEIMS). Null where the ring itself says so, as virtio's do.</param>
public sealed record QueueGrant(
    QueueDirection Direction,
    RingLayout Ring,
    int KickDescriptor,
    int EventDescriptor = Grant.EventDescriptor,
    DoorbellRegister? Doorbell = null,
    DoorbellRegister? EventArm = null);

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

/// <summary>What binding a NIC's virtual function returns: all that the data plane needs to run its rings without the control plane.</summary>
public sealed record Grant : BindingGrant, IJsonOnDeserialized
{
    /// <summary>Hardware address.</summary>
    public required MacAddress Mac { get; init; }

    /// <summary>IPv4 address and network.</summary>
    public required Ipv4Prefix Address { get; init; }

    /// <summary>Where frames for other networks go, if anywhere.</summary>
    public Ipv4Address? Gateway { get; init; }

    /// <summary>Largest IP packet in bytes.</summary>
    public required int Mtu { get; init; }

    /// <summary>
    /// Features negotiated with the device, in virtio's words also where it is none: an 82576 function has <see cref="VirtioFeatures.Version1"/>,
    /// <see cref="VirtioFeatures.NetMac"/>, and <see cref="VirtioFeatures.NetChecksum"/> and <see cref="VirtioFeatures.NetGuestChecksum"/> where they were asked for.
    /// </summary>
    public required VirtioFeatures Features { get; init; }

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
