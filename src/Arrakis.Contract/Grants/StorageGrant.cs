using System.Text.Json.Serialization;
using Arrakis.Contract.Json;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Contract;

/// <summary>What a holder may do with a storage area.</summary>
public enum AreaAccess
{
    /// <summary>Read; several may at once.</summary>
    Read,

    /// <summary>Read and write; one binding at a time.</summary>
    ReadWrite,
}

/// <summary>What a block queue can do beside reading and writing.</summary>
[Flags]
public enum StorageCapabilities
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Completed writes may be lost with the power until a flush: there is a volatile write cache. Without it each completed write is durable.</summary>
    VolatileCache = 1,

    /// <summary>A single write can be made durable as it completes (forced unit access); where not, a flush follows it.</summary>
    ForceUnitAccess = 2,

    /// <summary>Blocks can be given back (deallocate, discard); what they then read as is not said.</summary>
    Discard = 4,

    /// <summary>Blocks can be zeroed without sending zeros.</summary>
    WriteZeroes = 8,
}

/// <summary>A run of consecutive blocks of a device.</summary>
/// <param name="Start">The first block's address on the device.</param>
/// <param name="Count">Blocks; at least one.</param>
public readonly record struct BlockExtent(long Start, long Count);

/// <summary>One block queue of a storage grant.</summary>
/// <param name="Ring">Its format, and where its areas lie in queue memory: of an NVMe queue pair the descriptor area is the submission queue, the device area the completion queue.</param>
/// <param name="CommandArea">Byte offset in queue memory of what its commands need beside the ring: see <see cref="BlockQueueLayout"/>.</param>
/// <param name="KickDescriptor">Place among the grant's descriptors of its doorbell eventfd; with a <paramref name="Doorbell"/>, of the device's file, which several queues share.</param>
/// <param name="EventDescriptor">Place of the eventfd that the device raises for it.</param>
/// <param name="Doorbell">The register that is its doorbell: virtio's notification address, or the tail of an NVMe submission queue (NVMe 2.0 §3.1.3). Null where the doorbell is an eventfd.</param>
/// <param name="CompletionDoorbell">The head register of an NVMe completion queue; null elsewhere.</param>
public sealed record BlockQueueGrant(
    RingLayout Ring,
    long CommandArea,
    int KickDescriptor,
    int EventDescriptor = BindingGrant.EventDescriptor,
    DoorbellRegister? Doorbell = null,
    DoorbellRegister? CompletionDoorbell = null);

/// <summary>What binding a storage area returns: all that the data plane needs to read and write it without the control plane.</summary>
public sealed record StorageGrant : BindingGrant, IJsonOnDeserialized
{
    /// <summary>The area's name.</summary>
    public required string Area { get; init; }

    /// <summary>What may be done.</summary>
    public required AreaAccess Access { get; init; }

    /// <summary>Bytes of a block, the unit of addresses and of what a power cut leaves whole: a power of two, 512 to 65536.</summary>
    public required int BlockSize { get; init; }

    /// <summary>Blocks of the area.</summary>
    public required long BlockCount { get; init; }

    /// <summary>
    /// Where the area's blocks are on what the queue addresses, in their order: one extent from 0 on where the device itself knows the
    /// area, those of the device's namespace where it does not.
    /// </summary>
    public required IReadOnlyList<BlockExtent> Extents { get; init; }

    /// <summary>What the queues can do.</summary>
    public required StorageCapabilities Capabilities { get; init; }

    /// <summary>The most bytes of one request; whole blocks.</summary>
    public required int MaxTransferLength { get; init; }

    /// <summary>Features negotiated with a virtio device; <see cref="VirtioFeatures.None"/> of others.</summary>
    [JsonConverter(typeof(JsonNumberEnumConverter<VirtioFeatures>))] // The names are those of a network device's bits.
    public VirtioFeatures Features { get; init; }

    /// <summary>The NVMe namespace; 0 where the device is none.</summary>
    public uint NamespaceId { get; init; }

    /// <summary>Whether an NVMe controller takes SGL descriptors (NVMe 2.0 §4.1.2): data in more than two pages then needs no PRP list.</summary>
    public bool HasSgl { get; init; }

    /// <summary>Queues; each has an equal part of the buffers, in their order.</summary>
    public required IReadOnlyList<BlockQueueGrant> Queues { get; init; }

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Queues, nameof(Queues));
}
