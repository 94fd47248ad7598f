namespace Arrakis.DataPlane.Storage;

/// <summary>Reads a log from a position on, and further when more has become durable. It holds one buffer of the area.</summary>
internal sealed class LogReader : IDisposable
{
    private readonly PersistentLog _log;
    private readonly LogPosition _from;
    private readonly LogBlockReader _blocks;
    private readonly LogChain _chain;
    private readonly RecordAssembler _records;
    private long _next;
    private bool _isInBlock;

    public LogReader(PersistentLog log, LogPosition from)
    {
        _log = log;
        _from = from;
        _blocks = new LogBlockReader(log.Area);
        _chain = new LogChain(log.LogId, log.Epoch, log.EpochStart);
        _records = new RecordAssembler(log.Area.BlockSize, log.MaxRecordLength);
        _next = from.Value / log.Area.BlockSize;
    }

    /// <summary>The record; its bytes are good until the next move.</summary>
    public LogRecord Current { get; private set; }

    /// <summary>Goes to the next record. False where there is no further one yet.</summary>
    public async ValueTask<bool> MoveNextAsync()
    {
        while (true)
        {
            while (_isInBlock)
            {
                if (!_records.TryNext(out LogRecord record, out string? fault))
                {
                    _isInBlock = false;
                    Refuse(fault, _next - 1);
                }
                else if (record.Position >= _from)
                {
                    Current = record;
                    return true;
                }
            }

            if (_next >= _log.DurableBlocks)
            {
                return false;
            }

            ReadOnlyMemory<byte> block = await _blocks.ReadAsync(_next, _log.DurableBlocks);
            Refuse(_chain.Check(block.Span, _next, out LogBlock header), _next);
            Refuse(_records.Enter(block, header), _next);
            _next++;
            _isInBlock = true;
        }
    }

    public void Dispose() => _blocks.Dispose();

    private void Refuse(string? fault, long sequence)
    {
        if (fault is null)
        {
            return;
        }

        if (sequence < _log.Head.Value / _log.Area.BlockSize)
        {
            throw new InvalidOperationException("What was to be read has been trimmed meanwhile.");
        }

        throw new DataCorruptException(_blocks.AddressOf(sequence), fault);
    }
}
