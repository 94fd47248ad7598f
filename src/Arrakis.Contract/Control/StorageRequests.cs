using System.Text.Json.Serialization;
using Arrakis.Wire.Virtio;

namespace Arrakis.Contract.Control;

/// <summary>Binds a storage area.</summary>
public sealed record BindStorageRequest : ControlRequest
{
    /// <summary>What this project's own data plane understands of a virtio block device.</summary>
    public const VirtioFeatures Understood =
        VirtioFeatures.Version1
        | VirtioFeatures.RingIndirectDescriptors
        | VirtioBlockFeatures.SizeMax
        | VirtioBlockFeatures.SegmentMax
        | VirtioBlockFeatures.ReadOnly
        | VirtioBlockFeatures.BlockSize
        | VirtioBlockFeatures.Flush
        | VirtioBlockFeatures.ConfigWriteback
        | VirtioBlockFeatures.Discard
        | VirtioBlockFeatures.WriteZeroes;

    /// <summary>The area's name.</summary>
    public required string Area { get; init; }

    /// <summary>What is wanted of it.</summary>
    public AreaAccess Access { get; set; } = AreaAccess.ReadWrite;

    /// <summary>Entries of each queue: a power of two.</summary>
    public int QueueSize { get; set; } = 256;

    /// <summary>Queues, 1 to <see cref="ControlProtocol.MaxQueuePairs"/>.</summary>
    public int Queues { get; set; } = 1;

    /// <summary>Virtio features that the data plane understands, where the device is virtio's: no others are negotiated, and of these those that the device offers.</summary>
    [JsonConverter(typeof(JsonNumberEnumConverter<VirtioFeatures>))] // The names are those of a network device's bits.
    public VirtioFeatures Features { get; set; } = Understood;

    /// <summary>Data buffers of each queue.</summary>
    public int Buffers { get; set; } = 256;

    /// <summary>Bytes of a buffer: a multiple of 4096, to 1 MiB.</summary>
    public int BufferSize { get; set; } = 4096;
}

/// <summary>Makes a storage area (administrators, and whom the policy lets).</summary>
public sealed record CreateAreaRequest : ControlRequest
{
    /// <summary>Its name: 1 to 63 of the letters a-z, 0-9, '-', '_' and '.', the first no '.'.</summary>
    public required string Area { get; init; }

    /// <summary>The device it is to be on; null takes the first that the policy allows and that has room.</summary>
    public string? Device { get; init; }

    /// <summary>Bytes; rounded up to the device's unit of allocation.</summary>
    public required long Length { get; init; }

    /// <summary>Who is to own it; null takes who asks.</summary>
    public uint? Owner { get; init; }
}

/// <summary>Makes a storage area longer; what it has stays. A binding sees the new length when it is bound again.</summary>
public sealed record GrowAreaRequest : ControlRequest
{
    /// <summary>Its name.</summary>
    public required string Area { get; init; }

    /// <summary>Bytes that it is to have.</summary>
    public required long Length { get; init; }
}

/// <summary>Deletes a storage area that nobody has bound. Its blocks are zeroed before another area gets them.</summary>
public sealed record DeleteAreaRequest : ControlRequest
{
    /// <summary>Its name.</summary>
    public required string Area { get; init; }
}

/// <summary>Changes what a storage area is called, whose it is, or who may read it; what is null stays.</summary>
public sealed record ChangeAreaRequest : ControlRequest
{
    /// <summary>Its name.</summary>
    public required string Area { get; init; }

    /// <summary>Its new name.</summary>
    public string? NewName { get; init; }

    /// <summary>Its new owner.</summary>
    public uint? Owner { get; init; }

    /// <summary>Whether others than its owner may read it.</summary>
    public bool? SharedRead { get; init; }
}

/// <summary>Lists storage areas: those that one may bind, or all for an administrator.</summary>
public sealed record ListAreasRequest : ControlRequest;

/// <summary>Answers <see cref="BindStorageRequest"/>; the grant's descriptors travel beside it.</summary>
public sealed record BindStorageReply : ControlReply
{
    /// <summary>The grant.</summary>
    public required StorageGrant Grant { get; init; }
}

/// <summary>Answers <see cref="ListAreasRequest"/>, <see cref="CreateAreaRequest"/>, <see cref="GrowAreaRequest"/> and <see cref="ChangeAreaRequest"/>.</summary>
public sealed record AreasReply : ControlReply
{
    /// <summary>The areas.</summary>
    public required IReadOnlyList<AreaDescription> Areas { get; init; }
}

/// <summary>A storage area.</summary>
public sealed record AreaDescription
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The device it is on.</summary>
    public required string Device { get; init; }

    /// <summary>Its owner.</summary>
    public required uint Owner { get; init; }

    /// <summary>Whether others may read it.</summary>
    public required bool SharedRead { get; init; }

    /// <summary>Bytes.</summary>
    public required long Length { get; init; }

    /// <summary>Bytes of a block.</summary>
    public required int BlockSize { get; init; }

    /// <summary>The extents that it is made of.</summary>
    public required int Extents { get; init; }

    /// <summary>The bindings that have it.</summary>
    public required IReadOnlyList<ulong> Bindings { get; init; }
}
