using Arrakis.Contract;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>
/// A storage area with a volatile cache whose requests are done in any order, one at each <see cref="Step"/>: a seed says which. A power cut
/// at any time leaves a medium that is all that <see cref="IStorageArea"/> promises and no more.
/// </summary>
internal sealed class SimulatedArea : IStorageArea
{
    private readonly byte[] _medium;
    private readonly Dictionary<long, List<byte[]>> _cache = []; // Versions of blocks that are not durable, oldest first.
    private readonly List<Request> _pending = [];
    private readonly Random _random;

    public SimulatedArea(byte[] medium, int blockSize, int buffers, int bufferBlocks, Random random)
    {
        _medium = medium;
        _random = random;
        BlockSize = blockSize;
        Buffers = BlockBufferPool.Allocate(buffers, bufferBlocks * blockSize);
    }

    public int BlockSize { get; }

    public long BlockCount => _medium.Length / BlockSize;

    public int MaxTransferBlocks => Buffers.BufferSize / BlockSize;

    public StorageCapabilities Capabilities => StorageCapabilities.VolatileCache | StorageCapabilities.ForceUnitAccess;

    public BlockBufferPool Buffers { get; }

    /// <summary>Requests that are not done.</summary>
    public int Pending => _pending.Count;

    /// <summary>Requests that were done.</summary>
    public int Done { get; private set; }

    /// <summary>Writes that were begun.</summary>
    public int Writes { get; private set; }

    /// <summary>What the device does wrong: given the number of a write and its first block, it may return other places, or none.</summary>
    public Func<int, long, long?> Where { get; init; } = static (_, block) => block;

    /// <summary>An area of the same kind whose content is another.</summary>
    public SimulatedArea After(byte[] medium) => new(medium, BlockSize, Buffers.Count, MaxTransferBlocks, _random);

    public ValueTask ReadAsync(long block, BlockBuffer buffer, int length)
    {
        Check(block, length);
        return Begin(() =>
        {
            for (int i = 0; i < length / BlockSize; i++)
            {
                Visible(block + i).CopyTo(buffer.Span[(i * BlockSize)..]);
            }
        });
    }

    public ValueTask WriteAsync(long block, BlockBuffer buffer, int length, WriteDurability durability)
    {
        Check(block, length);
        int number = Writes++;
        byte[] bytes = buffer.Span[..length].ToArray();
        long? place = Where(number, block);
        return place is { } real
            ? BeginWrite(real, [.. bytes.Chunk(BlockSize)], durability == WriteDurability.Durable)
            : Begin(static () => { });
    }

    public ValueTask FlushAsync()
    {
        // What is in the cache now, and not what comes to it before the flush is done.
        KeyValuePair<long, byte[]>[] now = [.. _cache.Select(static entry => KeyValuePair.Create(entry.Key, entry.Value[^1]))];
        return Begin(() =>
        {
            foreach ((long block, byte[] version) in now)
            {
                if (_cache.TryGetValue(block, out List<byte[]>? versions) && versions.IndexOf(version) is >= 0 and int index)
                {
                    Store(block, version);
                    versions.RemoveRange(0, index + 1);
                    if (versions.Count == 0)
                    {
                        _cache.Remove(block);
                    }
                }
            }
        });
    }

    public ValueTask DiscardAsync(long block, long count) => Begin(static () => { });

    public ValueTask WriteZeroesAsync(long block, long count) =>
        BeginWrite(block, [.. Enumerable.Range(0, (int)count).Select(_ => new byte[BlockSize])], isDurable: false);

    /// <summary>Does one of the requests under way.</summary>
    public void Step()
    {
        int index = _random.Next(_pending.Count);
        Request request = _pending[index];
        _pending.RemoveAt(index);
        request.Do();
        Done++;
        request.Done.SetResult();
    }

    /// <summary>Does requests until a task has ended.</summary>
    public T Run<T>(ValueTask<T> task)
    {
        Task<T> whole = task.AsTask();
        while (!whole.IsCompleted)
        {
            Step();
        }

        return whole.GetAwaiter().GetResult();
    }

    /// <summary>Does requests until a task has ended.</summary>
    public void Run(ValueTask task)
    {
        Task whole = task.AsTask();
        while (!whole.IsCompleted)
        {
            Step();
        }

        whole.GetAwaiter().GetResult();
    }

    /// <summary>What is found when the power comes back.</summary>
    public byte[] Cut()
    {
        byte[] left = (byte[])_medium.Clone();
        foreach ((long block, List<byte[]> versions) in _cache)
        {
            int version = _random.Next(-1, versions.Count);
            if (version >= 0)
            {
                versions[version].CopyTo(left.AsSpan((int)block * BlockSize));
            }
        }

        // All, none, or any of the blocks of what was under way, in any order.
        int likely = _random.Next(5);
        foreach ((long block, byte[] bytes) in _pending.OrderBy(_ => _random.Next()).SelectMany(static request => request.Blocks))
        {
            if (_random.Next(4) < likely)
            {
                bytes.CopyTo(left.AsSpan((int)block * BlockSize));
            }
        }

        return left;
    }

    private ValueTask BeginWrite(long block, byte[][] blocks, bool isDurable) => Begin(
        () =>
        {
            for (int i = 0; i < blocks.Length; i++)
            {
                if (isDurable)
                {
                    _cache.Remove(block + i);
                    Store(block + i, blocks[i]);
                }
                else
                {
                    if (!_cache.TryGetValue(block + i, out List<byte[]>? versions))
                    {
                        _cache.Add(block + i, versions = []);
                    }

                    versions.Add(blocks[i]);
                }
            }
        },
        [.. blocks.Select((bytes, i) => (block + i, bytes))]);

    private ValueTask Begin(Action work, params (long Block, byte[] Bytes)[] blocks)
    {
        var request = new Request(work, blocks);
        _pending.Add(request);
        return new ValueTask(request.Done.Task);
    }

    private ReadOnlySpan<byte> Visible(long block) =>
        _cache.TryGetValue(block, out List<byte[]>? versions) ? versions[^1] : _medium.AsSpan((int)block * BlockSize, BlockSize);

    private void Store(long block, byte[] bytes) => bytes.CopyTo(_medium.AsSpan((int)block * BlockSize));

    private void Check(long block, int length)
    {
        Assert.True(length > 0 && length % BlockSize == 0 && length <= Buffers.BufferSize, $"{length} bytes");
        Assert.InRange(block, 0, BlockCount - length / BlockSize);
    }

    // Its continuations run within Step.
    private sealed record Request(Action Do, (long Block, byte[] Bytes)[] Blocks)
    {
        public TaskCompletionSource Done { get; } = new();
    }
}
