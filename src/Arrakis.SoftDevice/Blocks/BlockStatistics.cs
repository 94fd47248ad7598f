using Arrakis.Contract.Control;
using Arrakis.SoftDevice.Polling;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>A block function's counters. The polling thread writes them; any thread may read.</summary>
internal sealed class BlockStatistics
{
    private readonly ReasonCounts _refusals = new(BlockRefusals.Count, static refusal => BlockRefusals.Name((BlockRefusal)refusal));
    private long _reads;
    private long _bytesRead;
    private long _writes;
    private long _bytesWritten;
    private long _flushes;
    private long _discards;
    private long _writeZeroes;
    private long _errors;

    /// <summary>A request was done.</summary>
    /// <param name="type">What it asked for.</param>
    /// <param name="bytes">Bytes of a read or write.</param>
    public void CountDone(VirtioBlockType type, long bytes)
    {
        switch (type)
        {
            case VirtioBlockType.Read:
                _reads++;
                _bytesRead += bytes;
                break;
            case VirtioBlockType.Write:
                _writes++;
                _bytesWritten += bytes;
                break;
            case VirtioBlockType.Flush:
                _flushes++;
                break;
            case VirtioBlockType.Discard:
                _discards++;
                break;
            case VirtioBlockType.WriteZeroes:
                _writeZeroes++;
                break;
            default:
                break; // the function's name
        }
    }

    /// <summary>The medium failed a request.</summary>
    public void CountError() => _errors++;

    /// <summary>A request was refused.</summary>
    public void CountRefusal(BlockRefusal refusal) => _refusals.Count((int)refusal);

    /// <summary>Starts from zero. Polling thread only.</summary>
    public void Clear()
    {
        _refusals.Clear();
        _reads = _bytesRead = _writes = _bytesWritten = _flushes = _discards = _writeZeroes = _errors = 0;
    }

    /// <summary>What was counted; reasons without a refusal are left out.</summary>
    public BlockCounters Read()
    {
        return new BlockCounters
        {
            Reads = Volatile.Read(ref _reads),
            BytesRead = Volatile.Read(ref _bytesRead),
            Writes = Volatile.Read(ref _writes),
            BytesWritten = Volatile.Read(ref _bytesWritten),
            Flushes = Volatile.Read(ref _flushes),
            Discards = Volatile.Read(ref _discards),
            WriteZeroes = Volatile.Read(ref _writeZeroes),
            Errors = Volatile.Read(ref _errors),
            Refusals = _refusals.Read(),
        };
    }
}
