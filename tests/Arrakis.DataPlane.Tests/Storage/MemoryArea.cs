using Arrakis.Contract;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>A storage area in an array: each request is done at once, and durable.</summary>
internal sealed class MemoryArea(byte[] content, int blockSize, BlockBufferPool buffers) : IStorageArea
{
    public byte[] Content => content;

    /// <summary>Writes so far.</summary>
    public long Writes { get; private set; }

    public int BlockSize => blockSize;

    public long BlockCount => content.Length / blockSize;

    public int MaxTransferBlocks => buffers.BufferSize / blockSize;

    public StorageCapabilities Capabilities => StorageCapabilities.None;

    public BlockBufferPool Buffers => buffers;

    public ValueTask ReadAsync(long block, BlockBuffer buffer, int length)
    {
        Place(block, length).CopyTo(buffer.Span);
        return default;
    }

    public ValueTask WriteAsync(long block, BlockBuffer buffer, int length, WriteDurability durability)
    {
        buffer.Span[..length].CopyTo(Place(block, length));
        Writes++;
        return default;
    }

    public ValueTask FlushAsync() => default;

    public ValueTask DiscardAsync(long block, long count) => default;

    public ValueTask WriteZeroesAsync(long block, long count)
    {
        content.AsSpan((int)block * blockSize, (int)count * blockSize).Clear();
        return default;
    }

    private Span<byte> Place(long block, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(length % blockSize, 0, nameof(length));
        ArgumentOutOfRangeException.ThrowIfNegative(block);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, buffers.BufferSize);
        return content.AsSpan((int)(block * blockSize), length);
    }
}
