using Tmds.Linux;

namespace Arrakis.Native.IoUring;

/// <summary>Page-aligned buffers outside of the managed heap; pages are there from the first touch on. For one thread.</summary>
public sealed unsafe class TransferBuffers : IDisposable
{
    private readonly int _size;
    private readonly int[] _free;
    private byte* _start;
    private int _freeCount;

    /// <param name="count">How many.</param>
    /// <param name="size">Bytes of each: a multiple of the page size.</param>
    /// <exception cref="LinuxException">No memory.</exception>
    public TransferBuffers(int count, int size)
    {
        _size = size;
        void* start = LibC.mmap(
            null, (size_t)((ulong)count * (ulong)size), LibC.PROT_READ | LibC.PROT_WRITE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, 0);
        if ((nint)start == -1)
        {
            throw new LinuxException("mmap(transfer buffers)");
        }

        _start = (byte*)start;
        _free = [.. Enumerable.Range(0, count)];
        _freeCount = count;
    }

    /// <summary>Takes a buffer; negative where none is free.</summary>
    public int TryRent() => _freeCount == 0 ? -1 : _free[--_freeCount];

    /// <summary>Gives a buffer back.</summary>
    public void Return(int buffer) => _free[_freeCount++] = buffer;

    /// <summary>Where a buffer is.</summary>
    public ulong AddressOf(int buffer) => (ulong)(_start + (nint)buffer * _size);

    /// <summary>The first bytes of a buffer.</summary>
    public Span<byte> Bytes(int buffer, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, _size);
        return new Span<byte>(_start + (nint)buffer * _size, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_start is not null)
        {
            _ = LibC.munmap(_start, (size_t)((ulong)_free.Length * (ulong)_size));
            _start = null;
        }
    }
}
