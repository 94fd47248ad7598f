using System.Threading.Tasks.Sources;
using Arrakis.Contract;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>An area whose writes wait until they are released, in order; none of it allocates.</summary>
internal sealed class HeldArea(MemoryArea inner) : IStorageArea, IValueTaskSource
{
    private readonly Queue<(short Token, long Block, BlockBuffer Buffer, int Length)> _held = new(64);
    private readonly (Action<object?>? Continuation, object? State, bool IsDone)[] _waiting = new (Action<object?>?, object?, bool)[64];
    private short _next;

    public MemoryArea Inner => inner;

    public bool Hold { get; set; }

    public Exception? Fail { get; set; }

    public int BlockSize => inner.BlockSize;

    public long BlockCount => inner.BlockCount;

    public int MaxTransferBlocks => inner.MaxTransferBlocks;

    public StorageCapabilities Capabilities => inner.Capabilities;

    public BlockBufferPool Buffers => inner.Buffers;

    /// <summary>Does the oldest write. False where there is none.</summary>
    public bool Release()
    {
        if (!_held.TryDequeue(out (short Token, long Block, BlockBuffer Buffer, int Length) write))
        {
            return false;
        }

        if (Fail is null)
        {
            _ = inner.WriteAsync(write.Block, write.Buffer, write.Length, WriteDurability.Durable);
        }

        ref (Action<object?>? Continuation, object? State, bool IsDone) waiting = ref _waiting[write.Token % 64];
        waiting.IsDone = true;
        waiting.Continuation!(waiting.State);
        return true;
    }

    public ValueTask WriteAsync(long block, BlockBuffer buffer, int length, WriteDurability durability)
    {
        if (!Hold)
        {
            return inner.WriteAsync(block, buffer, length, durability);
        }

        short token = _next;
        _next = (short)((_next + 1) % 64);
        _waiting[token] = default;
        _held.Enqueue((token, block, buffer, length));
        return new ValueTask(this, token);
    }

    public ValueTask ReadAsync(long block, BlockBuffer buffer, int length) => inner.ReadAsync(block, buffer, length);

    public ValueTask FlushAsync() => inner.FlushAsync();

    public ValueTask DiscardAsync(long block, long count) => inner.DiscardAsync(block, count);

    public ValueTask WriteZeroesAsync(long block, long count) => inner.WriteZeroesAsync(block, count);

    public ValueTaskSourceStatus GetStatus(short token) => _waiting[token].IsDone ? ValueTaskSourceStatus.Succeeded : ValueTaskSourceStatus.Pending;

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _waiting[token] = (continuation, state, false);

    public void GetResult(short token)
    {
        if (Fail is not null)
        {
            throw Fail;
        }
    }
}
