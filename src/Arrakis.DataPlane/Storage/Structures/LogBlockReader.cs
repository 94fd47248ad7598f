namespace Arrakis.DataPlane.Storage;

/// <summary>Reads blocks of a log ahead, into memory that no device writes to. It holds one buffer of the area.</summary>
internal sealed class LogBlockReader : IDisposable
{
    private readonly IStorageArea _area;
    private readonly long _blockCount;
    private readonly BlockBuffer _buffer;
    private readonly byte[] _copy;
    private long _first;
    private long _count;

    public LogBlockReader(IStorageArea area)
    {
        _area = area;
        _blockCount = area.BlockCount - 2;
        _buffer = LogScan.Rent(area);
        _copy = GC.AllocateUninitializedArray<byte>(Math.Min(_buffer.Length / area.BlockSize, area.MaxTransferBlocks) * area.BlockSize);
    }

    /// <summary>The address of a block of the log.</summary>
    public long AddressOf(long sequence) => 1 + sequence % _blockCount;

    /// <summary>A block of the log, good until the next call.</summary>
    /// <param name="sequence">Which.</param>
    /// <param name="limit">Blocks from this one on are not to be read yet.</param>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(long sequence, long limit)
    {
        int size = _area.BlockSize;
        if (sequence < _first || sequence >= _first + _count)
        {
            _count = 0;
            long count = Math.Min(Math.Min(_copy.Length / size, limit - sequence), _blockCount - sequence % _blockCount);
            await _area.ReadAsync(AddressOf(sequence), _buffer, (int)count * size);
            _buffer.Span[..((int)count * size)].CopyTo(_copy);
            _first = sequence;
            _count = count;
        }

        return _copy.AsMemory((int)(sequence - _first) * size, size);
    }

    /// <summary>The front of a copy of the header.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAddressAsync(long address)
    {
        _count = 0;
        await _area.ReadAsync(address, _buffer, _area.BlockSize);
        _buffer.Span[.._area.BlockSize].CopyTo(_copy);
        return _copy.AsMemory(0, _area.BlockSize);
    }

    public void Dispose() => _area.Buffers.Return(_buffer);
}
