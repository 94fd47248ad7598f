using Arrakis.SoftDevice.Rings;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>A request that the disk has. Its place in the table names it; polling thread only.</summary>
internal sealed class DiskRequest
{
    /// <summary>Where it came from; null where the place is free.</summary>
    public BlockQueue? Queue { get; set; }

    /// <summary>The port of that queue.</summary>
    public BlockPort? Port { get; set; }

    /// <summary>What goes back into the ring.</summary>
    public RingRequest Chain { get; set; }

    /// <summary>The byte that takes the outcome.</summary>
    public MemoryPiece Status { get; set; }

    /// <summary>What the driver asked; its offset and length move on as parts of it are done.</summary>
    public BlockRequest Work { get; set; }

    /// <summary>The area that it was checked against.</summary>
    public BlockArea? Area { get; set; }

    /// <summary>Whether the driver takes each completed write as durable.</summary>
    public bool IsDurable { get; set; }

    /// <summary>Whether it is a write that the kernel completes when it is durable, so that no flush has to follow.</summary>
    public bool IsOneDurableWrite { get; set; }

    /// <summary>Whether it makes blocks zeros by writing them: the disk's file system does not know how.</summary>
    public bool WritesZeros { get; set; }

    /// <summary>Bytes of the part that is under way.</summary>
    public long PartLength { get; set; }

    /// <summary>The buffer between, where the driver's own is not aligned; negative where there is none.</summary>
    public int Buffer { get; set; } = -1;

    /// <summary>Bytes of data in the driver's memory.</summary>
    public int DataLength { get; set; }

    /// <summary>Vectors of the operation that is under way.</summary>
    public int HeadCount { get; set; }

    /// <summary>What the last of them was cut by.</summary>
    public ulong HeadRest { get; set; }
}
