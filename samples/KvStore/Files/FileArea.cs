using Arrakis.Contract;
using Microsoft.Win32.SafeHandles;

namespace Arrakis.Samples.KvStore.Files;

/// <summary>
/// A storage area in a file, for machines without the daemon. Every write is durable when it completes (O_SYNC); requests run on the thread
/// pool, and complete in the context that the area was opened in.
/// </summary>
internal sealed class FileArea : IStorageArea, IDisposable
{
    private const int ZeroLength = 1 << 20;

    private readonly SafeFileHandle _file;
    private readonly SynchronizationContext _context;

    private FileArea(SafeFileHandle file, SynchronizationContext context, int buffers, int bufferSize)
    {
        _file = file;
        _context = context;
        BlockCount = RandomAccess.GetLength(file) / BlockSize;
        Buffers = BlockBufferPool.Allocate(buffers, bufferSize);
    }

    public int BlockSize => 4096;

    public long BlockCount { get; }

    public int MaxTransferBlocks => Buffers.BufferSize / BlockSize;

    public StorageCapabilities Capabilities => StorageCapabilities.None;

    public BlockBufferPool Buffers { get; }

    /// <summary>Opens a file, and makes it where it is not there. No other process can have it open so.</summary>
    /// <param name="path">The file.</param>
    /// <param name="length">Bytes of a new one.</param>
    /// <param name="buffers">Buffers for requests.</param>
    /// <param name="bufferSize">Bytes of each.</param>
    public static FileArea Open(string path, long length, int buffers, int bufferSize)
    {
        SynchronizationContext context = SynchronizationContext.Current ?? throw new InvalidOperationException("A file's area is for code in a context of one thread.");
        SafeFileHandle file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, FileOptions.WriteThrough);
        if (RandomAccess.GetLength(file) == 0)
        {
            RandomAccess.SetLength(file, length);
            RandomAccess.FlushToDisk(file);
        }

        return new FileArea(file, context, buffers, bufferSize);
    }

    public ValueTask ReadAsync(long block, BlockBuffer buffer, int length)
    {
        long offset = Offset(block, length);
        return Begin(() =>
        {
            Span<byte> bytes = buffer.Span[..length];
            while (!bytes.IsEmpty)
            {
                int read = RandomAccess.Read(_file, bytes, offset);
                if (read == 0)
                {
                    throw new BlockRequestException(BlockOperation.Read, block, length / BlockSize, BlockStatus.OutOfRange, 0);
                }

                bytes = bytes[read..];
                offset += read;
            }
        });
    }

    public ValueTask WriteAsync(long block, BlockBuffer buffer, int length, WriteDurability durability)
    {
        long offset = Offset(block, length);
        return Begin(() => RandomAccess.Write(_file, buffer.Span[..length], offset));
    }

    public ValueTask FlushAsync() => default;

    public ValueTask DiscardAsync(long block, long count) => default;

    public ValueTask WriteZeroesAsync(long block, long count) => Begin(() =>
    {
        byte[] zeros = new byte[ZeroLength];
        long end = (block + count) * BlockSize;
        for (long offset = block * BlockSize; offset < end; offset += zeros.Length)
        {
            RandomAccess.Write(_file, zeros.AsSpan(0, (int)Math.Min(zeros.Length, end - offset)), offset);
        }
    });

    public void Dispose() => _file.Dispose();

    private long Offset(long block, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Buffers.BufferSize);
        ArgumentOutOfRangeException.ThrowIfNotEqual(length % BlockSize, 0, nameof(length));
        ArgumentOutOfRangeException.ThrowIfNegative(block);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(block, BlockCount - length / BlockSize);
        return block * BlockSize;
    }

    private ValueTask Begin(Action work)
    {
        var done = new TaskCompletionSource();
        _ = ThreadPool.UnsafeQueueUserWorkItem(
            _ =>
            {
                Exception? error = null;
                try
                {
                    work();
                }
                catch (Exception e)
                {
                    error = e is BlockRequestException ? e : new BlockRequestException($"A request of the file failed: {e.Message}", e);
                }

                _context.Post(
                    _ =>
                    {
                        if (error is null)
                        {
                            done.SetResult();
                        }
                        else
                        {
                            done.SetException(error);
                        }
                    },
                    null);
            },
            (object?)null,
            preferLocal: false);
        return new ValueTask(done.Task);
    }
}
