using System.Buffers.Binary;
using Arrakis.DataPlane.Storage;

namespace Arrakis;

/// <summary>
/// A queue on a storage area for one consumer: items are delivered in the order in which they were enqueued, and again after a crash until
/// they were acknowledged. For the one thread that the area is for.
/// </summary>
/// <remarks>
/// An item that was enqueued (the call completed) survives a power cut, and so does an acknowledgement. An item is delivered once by each
/// opening of the queue, unless it was acknowledged before: at least once in all. A consumer that has to do a thing once notes the item's
/// position with what it does; positions are never used again.
/// </remarks>
public sealed class PersistentQueue : IAsyncDisposable
{
    private const int TrimFraction = 8;

    private readonly PersistentLog _log;
    private readonly Queue<LogPosition> _outstanding = new(); // Delivered, from the oldest that is not acknowledged on.
    private readonly HashSet<LogPosition> _acknowledged; // Those of them that are, and those of earlier openings that are not passed yet.
    private readonly HashSet<LogPosition> _delivered = []; // Not acknowledged, nor being so.
    private readonly LogReader _reader;
    private TaskCompletionSource? _more;
    private LogPosition _passed;
    private bool _isDequeuing;
    private bool _isTrimming;

    private PersistentQueue(PersistentLog log, HashSet<LogPosition> acknowledged)
    {
        _log = log;
        _acknowledged = acknowledged;
        _passed = log.Head;
        _reader = new LogReader(log, log.Head);
        log.Advanced = () => _more?.TrySetResult();
    }

    /// <summary>What opening the log found.</summary>
    public LogRecovery Recovery => _log.Recovery;

    /// <summary>Opens a queue, or makes one where both copies of a log's header are zeros.</summary>
    /// <param name="area">The area; nobody else writes to it. The queue holds one buffer more than a log does.</param>
    /// <param name="options">How the log uses it.</param>
    /// <exception cref="DataCorruptException">A block is damaged or lost.</exception>
    /// <exception cref="BlockRequestException">The device did not do a request.</exception>
    public static async ValueTask<PersistentQueue> OpenOrCreateAsync(IStorageArea area, LogOptions? options = null)
    {
        PersistentLog log = await PersistentLog.OpenOrCreateAsync(area, options);
        HashSet<LogPosition> acknowledged = [];
        await foreach (LogRecord record in log.ReadAsync())
        {
            if (record.IsMark)
            {
                acknowledged.Add(new LogPosition(BinaryPrimitives.ReadInt64LittleEndian(record.Data.Span)));
            }
        }

        return new PersistentQueue(log, acknowledged);
    }

    /// <summary>Adds an item at the end. The rules for <paramref name="item"/> and the exceptions are those of <see cref="PersistentLog.AppendAsync(ReadOnlyMemory{byte})"/>.</summary>
    /// <param name="item">Its bytes.</param>
    /// <returns>Its position, once it is durable.</returns>
    public ValueTask<LogPosition> EnqueueAsync(ReadOnlyMemory<byte> item) =>
        _log.HasRoomFor(item.Length) || Floor <= _log.Head ? _log.AppendAsync(item) : EnqueueAfterTrimAsync(item);

    /// <summary>Takes the next item, and waits for one where there is none. One call at a time.</summary>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="DataCorruptException">A block is damaged or lost.</exception>
    /// <exception cref="BlockRequestException">The device did not do a request.</exception>
    public async ValueTask<QueueItem> DequeueAsync(CancellationToken cancellation = default)
    {
        while (true)
        {
            _more = new TaskCompletionSource();
            if (await TryDequeueAsync() is { } item)
            {
                return item;
            }

            await _more.Task.WaitAsync(cancellation);
        }
    }

    /// <summary>Takes the next item. Null where there is none. One call at a time.</summary>
    /// <exception cref="DataCorruptException">A block is damaged or lost.</exception>
    /// <exception cref="BlockRequestException">The device did not do a request.</exception>
    public async ValueTask<QueueItem?> TryDequeueAsync()
    {
        if (_isDequeuing)
        {
            throw new InvalidOperationException("The queue is being read already; one call at a time.");
        }

        _isDequeuing = true;
        try
        {
            while (await _reader.MoveNextAsync())
            {
                LogRecord record = _reader.Current;
                _passed = new LogPosition(record.Position.Value + 1);
                if (!record.IsMark && !_acknowledged.Remove(record.Position))
                {
                    _outstanding.Enqueue(record.Position);
                    _delivered.Add(record.Position);
                    return new QueueItem(record.Position, record.Data);
                }
            }

            return null;
        }
        finally
        {
            _isDequeuing = false;
        }
    }

    /// <summary>Says that an item is done with. When it completes that is durable: the item is not delivered again. Items may be acknowledged in any order.</summary>
    /// <param name="position">The item's.</param>
    /// <exception cref="InvalidOperationException">This opening of the queue did not deliver it, or it is acknowledged already.</exception>
    /// <exception cref="LogFullException">There is no room for it, and an older item is not acknowledged: acknowledge that first.</exception>
    /// <exception cref="BlockRequestException">The device did not do a request.</exception>
    public async ValueTask AcknowledgeAsync(LogPosition position)
    {
        if (!_delivered.Remove(position))
        {
            throw new InvalidOperationException($"There is no item at {position} to acknowledge.");
        }

        bool isOldest = _outstanding.Peek() == position;
        if (_log.HasRoomFor(sizeof(long)) || !isOldest)
        {
            byte[] mark = new byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(mark, position.Value);
            try
            {
                await _log.AppendAsync(mark, isMark: true);
            }
            catch (LogFullException)
            {
                _delivered.Add(position);
                throw;
            }

            Settle(position);
            if (!_isTrimming && Floor.Value - _log.Head.Value > _log.Capacity / TrimFraction)
            {
                await TrimAsync();
            }
        }
        else
        {
            Settle(position);
            await TrimAsync(); // Which says the same: the item is gone.
        }
    }

    /// <summary>Waits for all that was enqueued and acknowledged, and closes the log.</summary>
    public ValueTask DisposeAsync()
    {
        _reader.Dispose();
        _log.Advanced = null;
        return _log.DisposeAsync();
    }

    // All before it is acknowledged, and so are not needed any more: an acknowledgement is always after its item.
    private LogPosition Floor => _outstanding.TryPeek(out LogPosition oldest) ? oldest : _passed;

    private void Settle(LogPosition position)
    {
        _acknowledged.Add(position);
        while (_outstanding.TryPeek(out LogPosition oldest) && _acknowledged.Remove(oldest))
        {
            _outstanding.Dequeue();
        }
    }

    private async ValueTask TrimAsync()
    {
        _isTrimming = true;
        try
        {
            await _log.TrimAsync(Floor);
        }
        finally
        {
            _isTrimming = false;
        }
    }

    private async ValueTask<LogPosition> EnqueueAfterTrimAsync(ReadOnlyMemory<byte> item)
    {
        await TrimAsync();
        return await _log.AppendAsync(item);
    }
}
