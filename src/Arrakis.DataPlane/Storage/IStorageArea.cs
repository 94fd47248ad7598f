using Arrakis.Contract;

namespace Arrakis;

/// <summary>
/// A storage area: blocks from 0 on that stay when the power goes. Requests that are under way at the same time are done in any order;
/// who needs an order waits for the first. For one thread, that of the reactor or poller that completes the requests.
/// </summary>
/// <remarks>
/// Durability. A completed write is seen by each later read. It survives a power cut once it was written with
/// <see cref="WriteDurability.Durable"/>, or a <see cref="FlushAsync"/> that began after its completion has completed, or where the area has
/// no <see cref="StorageCapabilities.VolatileCache"/>. A power cut leaves each single block whole, as it was before or after a write, and may
/// leave any subset of the blocks of writes that are not durable yet.
/// </remarks>
public interface IStorageArea
{
    /// <summary>Bytes of a block.</summary>
    int BlockSize { get; }

    /// <summary>Blocks.</summary>
    long BlockCount { get; }

    /// <summary>The most blocks of one request.</summary>
    int MaxTransferBlocks { get; }

    /// <summary>What it can do.</summary>
    StorageCapabilities Capabilities { get; }

    /// <summary>Where buffers for its requests come from.</summary>
    BlockBufferPool Buffers { get; }

    /// <summary>Reads blocks into the front of a buffer.</summary>
    /// <param name="block">The first block.</param>
    /// <param name="buffer">Where to; the caller must leave it alone until the read completes.</param>
    /// <param name="length">Bytes: whole blocks, and no more than the buffer has.</param>
    /// <exception cref="ArgumentOutOfRangeException">Blocks outside of the area, or bytes that are not whole blocks in the buffer.</exception>
    /// <exception cref="BlockRequestException">The device did not do it.</exception>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding.</exception>
    ValueTask ReadAsync(long block, BlockBuffer buffer, int length);

    /// <summary>Writes blocks from the front of a buffer.</summary>
    /// <param name="block">The first block.</param>
    /// <param name="buffer">What; the caller must leave it alone until the write completes.</param>
    /// <param name="length">Bytes: whole blocks, and no more than the buffer has.</param>
    /// <param name="durability">Whether it has to be durable when it completes.</param>
    /// <exception cref="ArgumentOutOfRangeException">Blocks outside of the area, or bytes that are not whole blocks in the buffer.</exception>
    /// <exception cref="BlockRequestException">The device did not do it.</exception>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding.</exception>
    ValueTask WriteAsync(long block, BlockBuffer buffer, int length, WriteDurability durability);

    /// <summary>Makes durable all writes that have completed before it begins.</summary>
    ValueTask FlushAsync();

    /// <summary>Gives blocks back; what they then read as is not said. Does nothing where the area cannot.</summary>
    ValueTask DiscardAsync(long block, long count);

    /// <summary>Makes blocks read as zeros.</summary>
    ValueTask WriteZeroesAsync(long block, long count);
}

/// <summary>When a write is durable.</summary>
public enum WriteDurability
{
    /// <summary>At the next flush, where the device has a volatile cache.</summary>
    Cached,

    /// <summary>When it completes.</summary>
    Durable,
}
