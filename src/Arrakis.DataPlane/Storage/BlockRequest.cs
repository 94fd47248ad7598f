namespace Arrakis;

/// <summary>A request of a storage area, for who polls by itself.</summary>
/// <param name="Operation">What to do.</param>
/// <param name="Block">The first block, in the area; 0 for a flush.</param>
/// <param name="Count">Blocks; 0 for a flush.</param>
/// <param name="Buffer">What a read fills and a write takes, from its front on; the default one for the others. The caller leaves it alone until the request is completed.</param>
/// <param name="Token">Names the request in its <see cref="BlockResult"/>; the caller's own.</param>
/// <param name="Durability">Whether a write has to be durable when it completes.</param>
public readonly record struct BlockRequest(
    BlockOperation Operation,
    long Block,
    long Count,
    BlockBuffer Buffer,
    ulong Token,
    WriteDurability Durability = WriteDurability.Cached);

/// <summary>How a request of a storage area ended.</summary>
/// <param name="Token">The request's.</param>
/// <param name="Status">How it ended. What was asked in several parts has the first failure's.</param>
/// <param name="RawStatus">The device's own word for it: NVMe's status field (type and code), or virtio-blk's status byte.</param>
public readonly record struct BlockResult(ulong Token, BlockStatus Status, int RawStatus);
