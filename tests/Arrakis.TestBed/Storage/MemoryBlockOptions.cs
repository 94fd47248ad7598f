using Arrakis.Contract;
using Arrakis.Wire.Rings;

namespace Arrakis.TestBed.Storage;

/// <summary>What a <see cref="MemoryBlockDevice"/> is like.</summary>
public sealed record MemoryBlockOptions
{
    /// <summary>Split or packed.</summary>
    public RingFormat Format { get; init; } = RingFormat.Split;

    /// <summary>Whether the device takes indirect descriptors: then as many requests as the ring has entries, else a third.</summary>
    public bool IsIndirect { get; init; } = true;

    /// <summary>Entries of each ring.</summary>
    public int QueueSize { get; init; } = 64;

    /// <summary>Queues.</summary>
    public int Queues { get; init; } = 1;

    /// <summary>Bytes of a block.</summary>
    public int BlockSize { get; init; } = 4096;

    /// <summary>Blocks of the area.</summary>
    public long BlockCount { get; init; } = 256;

    /// <summary>Where they are on the medium; null for one extent from 0 on.</summary>
    public IReadOnlyList<BlockExtent>? Extents { get; init; }

    /// <summary>Buffers of each queue.</summary>
    public int Buffers { get; init; } = 128;

    /// <summary>Bytes of a buffer.</summary>
    public int BufferSize { get; init; } = 4096;

    /// <summary>The most bytes of one request; null takes the buffer's.</summary>
    public int? MaxTransferLength { get; init; }

    /// <summary>What may be done.</summary>
    public AreaAccess Access { get; init; } = AreaAccess.ReadWrite;

    /// <summary>What the device can do.</summary>
    public StorageCapabilities Capabilities { get; init; } = StorageCapabilities.VolatileCache | StorageCapabilities.Discard | StorageCapabilities.WriteZeroes;

    /// <summary>Keeps the bytes; null takes a <see cref="MemoryMedium"/> as long as the extents need.</summary>
    public IBlockMedium? Medium { get; init; }
}
