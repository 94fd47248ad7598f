using Arrakis.Contract;

namespace Arrakis.Benchmarks.Device;

/// <summary>A storage area that does nothing, at once.</summary>
internal sealed class IdleArea(int blockSize, long blockCount) : IStorageArea
{
    private const int BufferBlocks = 4;

    public int BlockSize => blockSize;

    public long BlockCount => blockCount;

    public int MaxTransferBlocks => BufferBlocks;

    public StorageCapabilities Capabilities => StorageCapabilities.None;

    public BlockBufferPool Buffers { get; } = BlockBufferPool.Allocate(8, BufferBlocks * blockSize);

    public ValueTask ReadAsync(long block, BlockBuffer buffer, int length) => default;

    public ValueTask WriteAsync(long block, BlockBuffer buffer, int length, WriteDurability durability) => default;

    public ValueTask FlushAsync() => default;

    public ValueTask DiscardAsync(long block, long count) => default;

    public ValueTask WriteZeroesAsync(long block, long count) => default;
}
