using System.Diagnostics.CodeAnalysis;
using Arrakis.Contract;
using Arrakis.DataPlane.Storage;

namespace Arrakis;

/// <content>
/// Appends: records are put into the buffer that fills, buffers go out in order and may come back in any, and appends complete in order.
/// The writes are a ring: from <see cref="_oldest"/> on those under way, then the one that fills, then free ones.
/// </content>
public sealed partial class PersistentLog
{
    private int _oldest;
    private int _underWay;
    private bool _isFilling;
    private bool _isPumping;
    private long _nextSequence; // Of the block after all that were sealed.
    private uint _nextLink; // The checksum of the block before it.
    private long _unsealed; // The most blocks that what was appended and is not sealed needs.
    private AppendOperation? _first;
    private AppendOperation? _last;
    private AppendOperation? _placing; // The first that is not in buffers wholly.
    private AppendOperation? _free;
    private TaskCompletionSource? _drained;

    /// <summary>
    /// Appends a record. It is copied at once where there is room in a buffer; otherwise the caller must leave it alone until the append
    /// completes. Appends are in the log in the order of these calls.
    /// </summary>
    /// <param name="record">Its bytes; none is a record too.</param>
    /// <returns>Where the record is, once it and all before it are durable. To be awaited once, on the log's thread.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is longer than <see cref="MaxRecordLength"/>.</exception>
    /// <exception cref="LogFullException">There is no room for it until the log is trimmed. The log goes on.</exception>
    /// <exception cref="BlockRequestException">The device did not do a write, of this record or one before. The log has to be opened again; whether the record is in it is not known before.</exception>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding; likewise.</exception>
    /// <exception cref="ObjectDisposedException">The log was closed.</exception>
    public ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<byte> record) => AppendAsync(record, isMark: false);

    /// <summary>Whether a record fits now.</summary>
    /// <param name="length">Its bytes.</param>
    public bool HasRoomFor(int length) =>
        _nextSequence + _unsealed + LogFormat.BlocksOf(length, _blockSize) <= _head.Value / _blockSize + _blockCount;

    /// <summary>Appends a record, or a mark: a record of a structure that stands on the log.</summary>
    internal ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<byte> record, bool isMark)
    {
        ThrowIfUnusable();
        if (record.Length > MaxRecordLength)
        {
            ThrowTooLong(record.Length);
        }

        if (!HasRoomFor(record.Length))
        {
            ThrowFull(record.Length);
        }

        long reserved = LogFormat.BlocksOf(record.Length, _blockSize);
        _unsealed += reserved;
        if (_placing is null
            && TryGetFilling(out LogWrite? write)
            && write.TryStartRecord(record.Length, isMark, out LogPosition position))
        {
            int copied = write.Put(record.Span);
            if (copied == record.Length)
            {
                write.Reserved += reserved;
                long end = write.EndSequence;
                if (_underWay == 0 && !_isPumping)
                {
                    Pump();
                    if (_failure is not null)
                    {
                        throw _failure;
                    }

                    if (_durable >= end)
                    {
                        return new ValueTask<LogPosition>(position);
                    }
                }

                return Enqueue(default, copied, position, end).Task;
            }

            return Pump(Enqueue(record, copied, position, 0));
        }

        AppendOperation operation = Enqueue(record, -1, default, 0);
        operation.IsMark = isMark;
        return Pump(operation);
    }

    internal void Return(AppendOperation operation)
    {
        operation.Next = _free;
        _free = operation;
    }

    private AppendOperation Enqueue(ReadOnlyMemory<byte> record, int copied, LogPosition position, long end)
    {
        AppendOperation operation = _free ?? new AppendOperation(this);
        _free = operation.Next;
        operation.Next = null;
        operation.Record = record;
        operation.Copied = copied;
        operation.Position = position;
        operation.EndSequence = end;
        operation.IsPlaced = end != 0;
        if (_last is null)
        {
            _first = operation;
        }
        else
        {
            _last.Next = operation;
        }

        _last = operation;
        if (end == 0)
        {
            _placing ??= operation;
        }

        return operation;
    }

    private ValueTask<LogPosition> Pump(AppendOperation operation)
    {
        ValueTask<LogPosition> task = operation.Task; // Before it may complete.
        if (!_isPumping)
        {
            Pump();
        }

        return task;
    }

    // Puts waiting records into buffers, and sends what may go: full buffers, and the one that fills when no other is under way.
    private void Pump()
    {
        _isPumping = true;
        while (_failure is null)
        {
            bool isStuck = !PlaceWaiting();
            if (!_isFilling || Filling.IsEmpty || (_underWay > 0 && (!isStuck || _underWay == _writes.Length - 1)))
            {
                break;
            }

            Send();
        }

        _isPumping = false;
    }

    // False where a record waits because the buffer that fills is full.
    private bool PlaceWaiting()
    {
        while (_placing is { } operation)
        {
            if (!TryGetFilling(out LogWrite? write))
            {
                return true;
            }

            if (operation.Copied < 0)
            {
                if (!write.TryStartRecord(operation.Record.Length, operation.IsMark, out LogPosition position))
                {
                    return false;
                }

                operation.Position = position;
                operation.Copied = 0;
            }

            operation.Copied += write.Put(operation.Record.Span[operation.Copied..]);
            if (operation.Copied < operation.Record.Length)
            {
                return false;
            }

            write.Reserved += LogFormat.BlocksOf(operation.Record.Length, _blockSize);
            operation.EndSequence = write.EndSequence;
            operation.IsPlaced = true;
            operation.Record = default;
            _placing = operation.Next;
        }

        return true;
    }

    private LogWrite Filling => _writes[(_oldest + _underWay) % _writes.Length];

    private bool TryGetFilling([NotNullWhen(true)] out LogWrite? write)
    {
        if (!_isFilling)
        {
            if (_underWay == _writes.Length)
            {
                write = null;
                return false;
            }

            // A write does not go over the end of the ring.
            int blocks = (int)Math.Min(_writeBlocks, _blockCount - _nextSequence % _blockCount);
            Filling.Begin(_nextSequence, blocks);
            _isFilling = true;
        }

        write = Filling;
        return true;
    }

    private void Send()
    {
        LogWrite write = Filling;
        int blocks = write.Seal(_logId, _epoch, _durable, _nextLink);
        _nextSequence += blocks;
        _nextLink = write.LastChecksum;
        _unsealed -= write.Reserved;
        _isFilling = false;
        _underWay++;
        try
        {
            write.Begin(_area.WriteAsync(1 + write.Sequence % _blockCount, write.Buffer, blocks * _blockSize, WriteDurability.Durable));
        }
        catch (Exception e)
        {
            Fail(e);
            Retire(write);
            return;
        }

        if (write.Awaiter.IsCompleted)
        {
            Finish(write);
        }
        else
        {
            write.Awaiter.UnsafeOnCompleted(write.Completed);
        }
    }

    private void OnWriteDone(LogWrite write)
    {
        bool wasPumping = _isPumping;
        _isPumping = true; // What the completions append waits for the pump below, and goes out together.
        Finish(write);
        _isPumping = wasPumping;
        if (!wasPumping)
        {
            Pump();
        }
    }

    private void Finish(LogWrite write)
    {
        try
        {
            write.Awaiter.GetResult();
        }
        catch (Exception e)
        {
            Fail(e);
        }

        Retire(write);
    }

    private void Retire(LogWrite write)
    {
        write.IsDone = true;
        while (_underWay > 0 && _writes[_oldest] is { IsDone: true } done)
        {
            if (_failure is null)
            {
                _durable = done.EndSequence;
                _durableLink = done.LastChecksum;
            }

            _oldest = (_oldest + 1) % _writes.Length;
            _underWay--;
        }

        Complete();
        Advanced?.Invoke();
        if (_drained is not null && IsDrained)
        {
            _drained.TrySetResult();
        }
    }

    private void Complete()
    {
        while (_first is { } operation && (_failure is not null || (operation.IsPlaced && operation.EndSequence <= _durable)))
        {
            _first = operation.Next;
            if (_first is null)
            {
                _last = null;
            }

            if (ReferenceEquals(_placing, operation))
            {
                _placing = operation.Next;
            }

            operation.Next = null;
            operation.Complete(_failure);
        }
    }

    private void Fail(Exception error)
    {
        if (_failure is null)
        {
            _failure = error;
            Complete();
        }
    }

    private bool IsDrained => _underWay == 0 && (_failure is not null || _first is null);

    private async ValueTask DrainAsync()
    {
        if (!IsDrained)
        {
            _drained = new TaskCompletionSource();
            await _drained.Task;
        }
    }

    private void ThrowIfUnusable()
    {
        if (_isClosing || _failure is not null)
        {
            ThrowUnusable();
        }
    }

    [DoesNotReturn]
    private void ThrowUnusable()
    {
        ObjectDisposedException.ThrowIf(_isClosing, this);
        throw _failure!;
    }

    [DoesNotReturn]
    private void ThrowTooLong(int length) =>
        throw new ArgumentOutOfRangeException(nameof(length), length, $"A record of this log has at most {MaxRecordLength} bytes.");

    [DoesNotReturn]
    private void ThrowFull(int length) =>
        throw new LogFullException($"The log has no room for a record of {length} bytes: {UsedLength} of {Capacity} bytes are in use.");
}
