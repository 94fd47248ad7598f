using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using Arrakis.Contract;

namespace Arrakis.DataPlane.Storage;

/// <summary>A storage area through one queue of its binding.</summary>
internal sealed class StorageArea : IStorageArea
{
    private readonly BlockQueue _queue;
    private readonly int _blockShift;
    private readonly int _blockMask;
    private readonly bool _isReadOnly;

    public StorageArea(BlockQueue queue, StorageGrant grant)
    {
        _queue = queue;
        _blockShift = BitOperations.Log2((uint)grant.BlockSize);
        _blockMask = grant.BlockSize - 1;
        _isReadOnly = grant.Access == AreaAccess.Read;
        BlockCount = grant.BlockCount;
        MaxTransferBlocks = grant.MaxTransferLength / grant.BlockSize;
        Capabilities = grant.Capabilities;
        Buffers = queue.Buffers;
    }

    /// <inheritdoc/>
    public int BlockSize => _blockMask + 1;

    /// <inheritdoc/>
    public long BlockCount { get; }

    /// <inheritdoc/>
    public int MaxTransferBlocks { get; }

    /// <inheritdoc/>
    public StorageCapabilities Capabilities { get; }

    /// <inheritdoc/>
    public BlockBufferPool Buffers { get; }

    /// <inheritdoc/>
    public ValueTask ReadAsync(long block, BlockBuffer buffer, int length)
    {
        long count = CheckData(block, length);
        return _queue.StartAsync(BlockOperation.Read, block, count, buffer.Index, Buffers.OffsetOf(buffer), WriteDurability.Cached);
    }

    /// <inheritdoc/>
    public ValueTask WriteAsync(long block, BlockBuffer buffer, int length, WriteDurability durability)
    {
        long count = CheckData(block, length);
        long offset = Buffers.OffsetOf(buffer);
        return _isReadOnly
            ? Refused(BlockOperation.Write, block, count, BlockStatus.ReadOnly)
            : _queue.StartAsync(BlockOperation.Write, block, count, buffer.Index, offset, durability);
    }

    /// <inheritdoc/>
    public ValueTask FlushAsync() => _queue.Failure is null && (Capabilities & StorageCapabilities.VolatileCache) == 0
        ? default // Each completed write is durable.
        : _queue.StartAsync(BlockOperation.Flush, 0, 0, 0, 0, WriteDurability.Cached);

    /// <inheritdoc/>
    public ValueTask DiscardAsync(long block, long count)
    {
        CheckBlocks(block, count);
        return IsToBeDone(BlockOperation.Discard, out BlockStatus refusal)
            ? _queue.StartAsync(BlockOperation.Discard, block, count, 0, 0, WriteDurability.Cached)
            : refusal == BlockStatus.Success ? default : Refused(BlockOperation.Discard, block, count, refusal);
    }

    /// <inheritdoc/>
    public ValueTask WriteZeroesAsync(long block, long count)
    {
        CheckBlocks(block, count);
        return IsToBeDone(BlockOperation.WriteZeroes, out BlockStatus refusal)
            ? _queue.StartAsync(BlockOperation.WriteZeroes, block, count, 0, 0, WriteDurability.Cached)
            : refusal == BlockStatus.ReadOnly ? Refused(BlockOperation.WriteZeroes, block, count, refusal) : WriteZerosAsync(block, count);
    }

    /// <summary>Checks a request's numbers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Blocks outside of the area, or more than the buffer has.</exception>
    /// <exception cref="InvalidOperationException">The buffer's handle is stale.</exception>
    internal void Check(in BlockRequest request)
    {
        switch (request.Operation)
        {
            case BlockOperation.Read or BlockOperation.Write:
                ArgumentOutOfRangeException.ThrowIfGreaterThan(request.Count, Buffers.BufferSize >> _blockShift, nameof(request));
                CheckBlocks(request.Block, request.Count);
                _ = Buffers.OffsetOf(request.Buffer);
                break;
            case BlockOperation.Discard or BlockOperation.WriteZeroes:
                CheckBlocks(request.Block, request.Count);
                break;
            case BlockOperation.Flush:
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(request), request.Operation, "No block request does that.");
        }
    }

    /// <summary>Whether an operation is one for the device. If not: how it ends at once.</summary>
    internal bool IsToBeDone(BlockOperation operation, out BlockStatus refusal)
    {
        bool changes = operation is BlockOperation.Write or BlockOperation.Discard or BlockOperation.WriteZeroes;
        refusal = _isReadOnly && changes ? BlockStatus.ReadOnly
            : operation == BlockOperation.WriteZeroes && (Capabilities & StorageCapabilities.WriteZeroes) == 0 ? BlockStatus.Unsupported
            : BlockStatus.Success;

        // A discard is a hint.
        return refusal == BlockStatus.Success && (operation != BlockOperation.Discard || (Capabilities & StorageCapabilities.Discard) != 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long CheckData(long block, int length)
    {
        long count = length >> _blockShift;
        if (length <= 0 || (length & _blockMask) != 0 || length > Buffers.BufferSize)
        {
            ThrowLength(length);
        }

        CheckBlocks(block, count);
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CheckBlocks(long block, long count)
    {
        if (count <= 0 || count > BlockCount || (ulong)block > (ulong)(BlockCount - count))
        {
            ThrowBlocks(block, count);
        }
    }

    // Where the device cannot zero by itself.
    private async ValueTask WriteZerosAsync(long block, long count)
    {
        if (!Buffers.TryRent(out BlockBuffer buffer))
        {
            throw new InvalidOperationException("No buffer is free, and the device cannot zero blocks without one.");
        }

        try
        {
            buffer.Span.Clear();
            for (long done = 0; done < count;)
            {
                long part = Math.Min(count - done, Buffers.BufferSize >> _blockShift);
                await WriteAsync(block + done, buffer, (int)(part << _blockShift), WriteDurability.Cached);
                done += part;
            }
        }
        finally
        {
            Buffers.Return(buffer);
        }
    }

    private static ValueTask Refused(BlockOperation operation, long block, long count, BlockStatus status) =>
        ValueTask.FromException(new BlockRequestException(operation, block, count, status, 0));

    [DoesNotReturn]
    private void ThrowLength(int length) =>
        throw new ArgumentOutOfRangeException(nameof(length), length, $"Not whole blocks of {BlockSize} bytes, at least one and {Buffers.BufferSize} bytes at most.");

    [DoesNotReturn]
    private void ThrowBlocks(long block, long count) =>
        throw new ArgumentOutOfRangeException(nameof(block), block, $"{count} blocks from there on are not in an area of {BlockCount}.");
}
