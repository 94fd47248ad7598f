using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.Native.Memory;

namespace Arrakis;

/// <summary>Fixed data buffers in queue memory, page aligned. The free ones are a stack, so that the one used last, which the caches still hold, is used next. For one thread.</summary>
/// <remarks>
/// A buffer's generation grows at each change to and from being owned and is odd while it is owned. A buffer of a request that
/// timed out gets another owner's generation, so that no handle reaches it: the device may still write it. It becomes free
/// when the owner has given it back and the device has, too.
/// </remarks>
public sealed unsafe class BlockBufferPool
{
    private readonly byte* _start;
    private readonly long _offset;
    private readonly int[] _free;
    private readonly uint[] _generations;
    private readonly ushort[] _late; // By buffer: the timed-out requests that the device has not given back.
    private readonly bool[] _isAwaited; // By buffer: its owner has not given it back since such a request.
    private int _freeCount;
    private byte[]? _memory; // Keeps what Allocate made.
    private bool _closed;

    /// <param name="region">Queue memory.</param>
    /// <param name="offset">Where in it the buffers start.</param>
    /// <param name="count">How many.</param>
    /// <param name="bufferSize">Bytes of each.</param>
    internal BlockBufferPool(DmaRegion region, long offset, int count, int bufferSize)
        : this(region.At(offset, (long)count * bufferSize), offset, count, bufferSize)
    {
    }

    private BlockBufferPool(byte* start, long offset, int count, int bufferSize)
    {
        _start = start;
        _offset = offset;
        Count = count;
        BufferSize = bufferSize;
        _free = new int[count];
        _generations = new uint[count];
        _late = new ushort[count];
        _isAwaited = new bool[count];
        for (int i = 0; i < count; i++)
        {
            _free[i] = count - 1 - i;
        }

        _freeCount = count;
    }

    /// <summary>Makes a pool in memory of this process, which no device addresses: for areas that are no device's.</summary>
    /// <param name="count">How many buffers.</param>
    /// <param name="bufferSize">Bytes of each.</param>
    public static BlockBufferPool Allocate(int count, int bufferSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bufferSize);
        byte[] memory = GC.AllocateArray<byte>(checked(count * bufferSize + MemoryFile.BasePageSize), pinned: true);
        fixed (byte* first = memory)
        {
            nint start = ((nint)first + MemoryFile.BasePageSize - 1) & -MemoryFile.BasePageSize;
            return new BlockBufferPool((byte*)start, 0, count, bufferSize) { _memory = memory };
        }
    }

    /// <summary>Buffers in all.</summary>
    public int Count { get; }

    /// <summary>Bytes of a buffer.</summary>
    public int BufferSize { get; }

    /// <summary>Buffers that nobody has.</summary>
    public int FreeCount => _freeCount;

    /// <summary>Takes a free buffer; what is in it is whatever was last. False where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRent(out BlockBuffer buffer)
    {
        int count = _freeCount;
        if (count == 0)
        {
            buffer = default;
            return false;
        }

        _freeCount = --count;
        int index = _free[count];
        buffer = new BlockBuffer(this, index, ++_generations[index]);
        return true;
    }

    /// <summary>Gives a buffer back.</summary>
    /// <exception cref="InvalidOperationException">It was given back before, or is another pool's.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Return(BlockBuffer buffer)
    {
        if (!IsOwned(buffer))
        {
            ReturnLate(buffer);
            return;
        }

        _generations[buffer.Index]++;
        _free[_freeCount++] = buffer.Index;
        GC.KeepAlive(_memory);
    }

    /// <summary>Where a buffer is in queue memory.</summary>
    /// <exception cref="InvalidOperationException">The handle is stale, or of another pool.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long OffsetOf(BlockBuffer buffer)
    {
        Check(buffer);
        return _offset + (long)buffer.Index * BufferSize;
    }

    /// <summary>A buffer's bytes.</summary>
    /// <exception cref="InvalidOperationException">The handle is stale, or of another pool.</exception>
    /// <exception cref="ObjectDisposedException">The binding is disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Span<byte> Bytes(BlockBuffer buffer)
    {
        Check(buffer);
        if (_closed)
        {
            ThrowClosed();
        }

        return new Span<byte>(_start + (nint)buffer.Index * BufferSize, BufferSize);
    }

    /// <summary>A request of a buffer timed out: nobody gets it before the device has given it back.</summary>
    internal void Quarantine(int index)
    {
        if (_late[index]++ == 0)
        {
            _isAwaited[index] = (_generations[index] & 1) != 0;
            _generations[index] += 2;
            if (!_isAwaited[index])
            {
                RemoveFree(index); // Its owner gave it back while the device had it.
            }
        }
    }

    /// <summary>The device has given a timed-out request of a buffer back.</summary>
    internal void Release(int index)
    {
        if (--_late[index] == 0 && !_isAwaited[index])
        {
            Free(index);
        }
    }

    /// <summary>The memory is about to be unmapped.</summary>
    internal void Close() => _closed = true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsOwned(BlockBuffer buffer) =>
        ReferenceEquals(buffer.Pool, this) && _generations[buffer.Index] == buffer.Generation && (buffer.Generation & 1) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Check(BlockBuffer buffer)
    {
        if (!IsOwned(buffer))
        {
            ThrowStale(buffer);
        }
    }

    private void ReturnLate(BlockBuffer buffer)
    {
        int index = buffer.Index;
        if (!ReferenceEquals(buffer.Pool, this) || !_isAwaited[index] || buffer.Generation + 2 != _generations[index])
        {
            ThrowStale(buffer);
        }

        _isAwaited[index] = false;
        if (_late[index] == 0)
        {
            Free(index);
        }
    }

    private void Free(int index)
    {
        _generations[index] += _generations[index] & 1;
        _free[_freeCount++] = index;
    }

    private void RemoveFree(int index)
    {
        int place = Array.IndexOf(_free, index, 0, _freeCount);
        if (place >= 0)
        {
            _free[place] = _free[--_freeCount];
        }
    }

    [DoesNotReturn]
    private static void ThrowStale(BlockBuffer buffer) =>
        throw new InvalidOperationException($"Block buffer {buffer.Index} is no longer this owner's: it was given back before, a request of it has timed out, or it is another pool's.");

    [DoesNotReturn]
    private static void ThrowClosed() => throw new ObjectDisposedException(nameof(StorageBinding), "The binding that the buffer belongs to is disposed.");
}
