using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Arrakis.Contract;
using Arrakis.DataPlane.Storage;

namespace Arrakis;

/// <summary>
/// A log on a storage area: records are appended at its end and trimmed from its head, in a ring of blocks. For the one thread that the
/// area is for, on which also all its awaits go on.
/// </summary>
/// <remarks>
/// <para>
/// Durability. An append completes when its record and all records appended before it survive a power cut, as
/// <see cref="IStorageArea"/> defines that. Of records whose append has not completed, a power cut leaves those up to some record, in their
/// order, and none after it. A record is found whole or not at all.
/// </para>
/// <para>
/// Damage. Each block says which log it is of, which block of the log, which block came before (by its checksum) and what was durable when
/// it was written. So a block that was damaged, or whose write was lost or went elsewhere, is told from the end that a power cut leaves, and
/// is reported with its address as a <see cref="DataCorruptException"/> when the log is opened or the block read; its bytes are never
/// given out. The one thing that cannot be seen is that a device lost the last writes before a crash although it had acknowledged them,
/// when no write after them was kept and the log was not closed.
/// </para>
/// <para>Group commit. What is appended while a write is under way goes out together, in the next. A lone append is one write.</para>
/// </remarks>
public sealed partial class PersistentLog : IAsyncDisposable
{
    private readonly IStorageArea _area;
    private readonly int _blockSize;
    private readonly long _blockCount;
    private readonly ulong _logId;
    private readonly uint _epoch;
    private readonly long _epochStart;
    private readonly int _writeBlocks; // The most of one write.
    private readonly int _window; // The most that are under way.
    private readonly Queue<TaskCompletionSource> _headerTurns = new();
    private readonly LogWrite[] _writes;
    private bool _isWritingHeader;
    private long _generation;
    private long _firstCopy; // The address of the copy of the header that is written first.
    private LogPosition _head;
    private long _durable; // All blocks before it are durable.
    private uint _durableLink; // The checksum of the last of them.
    private Exception? _failure;
    private bool _isClosing;

    private PersistentLog(IStorageArea area, LogOptions options, LogHeader header, LogScan.Result scan)
    {
        _area = area;
        _blockSize = area.BlockSize;
        _blockCount = header.BlockCount;
        _logId = header.LogId;
        _epoch = header.Epoch + 1;
        _epochStart = scan.End;
        _generation = header.Generation;
        _head = header.Head;
        _durable = scan.End;
        _durableLink = scan.Link;
        _nextSequence = scan.End;
        _nextLink = scan.Link;
        _writeBlocks = WriteBlocks(area);
        _window = _writeBlocks * options.MaxWritesInFlight;
        Recovery = new LogRecovery(scan.Records, scan.End - header.HeadBlock, header.IsClosed, scan.BadHeader);
        _writes = RentWrites(options.MaxWritesInFlight + 1);
    }

    /// <summary>What opening it found.</summary>
    public LogRecovery Recovery { get; }

    /// <summary>Where it begins: all before it is trimmed.</summary>
    public LogPosition Head => _head;

    /// <summary>Where it ends: all records before it are durable.</summary>
    public LogPosition End => new(_durable * _blockSize);

    /// <summary>Bytes between head and the end of what was appended, with what blocks need themselves.</summary>
    public long UsedLength => (_nextSequence + _unsealed - _head.Value / _blockSize) * _blockSize;

    /// <summary>Bytes that it can have between head and end, with what blocks need themselves.</summary>
    public long Capacity => _blockCount * _blockSize;

    /// <summary>The longest record that fits into the log when it is empty.</summary>
    public int MaxRecordLength => LogFormat.MaxRecordLength(_blockCount, _blockSize);

    internal IStorageArea Area => _area;

    internal ulong LogId => _logId;

    internal uint Epoch => _epoch;

    internal long EpochStart => _epochStart;

    internal long DurableBlocks => _durable;

    /// <summary>Called when more has become durable.</summary>
    internal Action? Advanced { get; set; }

    /// <summary>Makes an empty log. All that the area has is lost: it is zeroed.</summary>
    /// <param name="area">The area; nobody else writes to it.</param>
    /// <param name="options">How the log uses it.</param>
    /// <exception cref="ArgumentException">The area is too small: it needs ten blocks.</exception>
    /// <exception cref="BlockRequestException">The device did not do a request.</exception>
    public static async ValueTask<PersistentLog> CreateAsync(IStorageArea area, LogOptions? options = null)
    {
        CheckArea(area, options ??= new LogOptions());
        // The header first: an area that is half zeroed is no log, and not a damaged one.
        await area.WriteZeroesAsync(0, 1);
        await area.WriteZeroesAsync(area.BlockCount - 1, 1);
        await area.FlushAsync();
        await area.WriteZeroesAsync(1, area.BlockCount - 2);
        await area.FlushAsync();
        Span<byte> id = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(id);
        var header = new LogHeader
        {
            LogId = BitConverter.ToUInt64(id),
            Generation = 1,
            Epoch = 0,
            BlockCount = area.BlockCount - 2,
            BlockSize = area.BlockSize,
            Head = default,
            EpochStart = 0,
            End = 0,
            EndLink = 0,
            Window = WriteBlocks(area) * options.MaxWritesInFlight,
            IsClosed = true,
        };
        return await StartAsync(new PersistentLog(area, options, header, new LogScan.Result(0, 0, 0, null)));
    }

    /// <summary>Opens a log as its last holder or a power cut left it: reads and checks all blocks between its head and its end.</summary>
    /// <param name="area">The area; nobody else writes to it.</param>
    /// <param name="options">How the log uses it.</param>
    /// <exception cref="DataCorruptException">A block is damaged, or lost, or there is no log. Nothing was written.</exception>
    /// <exception cref="BlockRequestException">The device did not do a request.</exception>
    public static async ValueTask<PersistentLog> OpenAsync(IStorageArea area, LogOptions? options = null)
    {
        CheckArea(area, options ??= new LogOptions());
        LogScan.Found found;
        LogScan.Result result;
        using (var scan = new LogScan(area))
        {
            found = await scan.ReadHeaderAsync() ?? throw new DataCorruptException(0, "there is no log");
            result = await scan.FindEndAsync(found.Header) with { BadHeader = found.BadCopy };
        }

        return await StartAsync(new PersistentLog(area, options, found.Header, result) { _firstCopy = found.OlderCopy });
    }

    /// <summary>Opens a log, or makes one where both copies of a header are zeros.</summary>
    /// <param name="area">The area; nobody else writes to it.</param>
    /// <param name="options">How the log uses it.</param>
    /// <exception cref="DataCorruptException">A block is damaged, or lost, or there is something else than a log. Nothing was written.</exception>
    /// <exception cref="BlockRequestException">The device did not do a request.</exception>
    public static async ValueTask<PersistentLog> OpenOrCreateAsync(IStorageArea area, LogOptions? options = null)
    {
        CheckArea(area, options ??= new LogOptions());
        bool isLog;
        using (var scan = new LogScan(area))
        {
            isLog = await scan.ReadHeaderAsync() is not null;
        }

        return isLog ? await OpenAsync(area, options) : await CreateAsync(area, options);
    }

    /// <summary>Gives up all records before a position. When it completes that is durable, and their room is free.</summary>
    /// <param name="position">The first position that stays; at most <see cref="End"/>. One before <see cref="Head"/> changes nothing.</param>
    /// <exception cref="ArgumentOutOfRangeException">The position is after the end.</exception>
    /// <exception cref="BlockRequestException">The device did not do a request.</exception>
    public async ValueTask TrimAsync(LogPosition position)
    {
        ThrowIfUnusable();
        ArgumentOutOfRangeException.ThrowIfGreaterThan(position, End);
        if (position > _head)
        {
            await WriteHeaderAsync(position, isClosed: false);
        }
    }

    /// <summary>Reads the records from the head to the end, as the end is when each is asked for.</summary>
    /// <param name="cancellation">Ends it between records.</param>
    /// <returns>Records in their order. The bytes of one are good until the next is asked for.</returns>
    public IAsyncEnumerable<LogRecord> ReadAsync(CancellationToken cancellation = default) => ReadAsync(_head, cancellation);

    /// <summary>Reads the records from a position to the end, as the end is when each is asked for. One buffer of the area is held meanwhile.</summary>
    /// <param name="from">The first record is the one that begins here or next after here; not before <see cref="Head"/>.</param>
    /// <param name="cancellation">Ends it between records.</param>
    /// <returns>Records in their order. The bytes of one are good until the next is asked for.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The position is trimmed, or after the end.</exception>
    /// <exception cref="DataCorruptException">A block is damaged or lost. The records before it were given out.</exception>
    /// <exception cref="InvalidOperationException">What was to be read has been trimmed meanwhile.</exception>
    public async IAsyncEnumerable<LogRecord> ReadAsync(LogPosition from, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ThrowIfUnusable();
        ArgumentOutOfRangeException.ThrowIfLessThan(from, _head);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from, End);
        using var reader = new LogReader(this, from);
        while (await reader.MoveNextAsync())
        {
            cancellation.ThrowIfCancellationRequested();
            yield return reader.Current;
        }
    }

    /// <summary>Waits for all appends, and notes the end, so that the next opening can tell that nothing is missing. Then the log is of no more use; the area stays.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isClosing)
        {
            return;
        }

        _isClosing = true;
        await DrainAsync();
        if (_failure is null)
        {
            try
            {
                await WriteHeaderAsync(_head, isClosed: true);
            }
            catch (Exception e) when (e is BlockRequestException or BindingRevokedException)
            {
                _failure = e; // The log is durable without it.
            }
        }

        ReturnWrites();
    }

    private static async ValueTask<PersistentLog> StartAsync(PersistentLog log)
    {
        try
        {
            await log.WriteHeaderAsync(log._head, isClosed: false);
            return log;
        }
        catch
        {
            log._isClosing = true;
            log.ReturnWrites();
            throw;
        }
    }

    // One at a time; the turns are taken in order, on this thread.
    private async ValueTask WriteHeaderAsync(LogPosition head, bool isClosed)
    {
        if (_isWritingHeader)
        {
            var turn = new TaskCompletionSource();
            _headerTurns.Enqueue(turn);
            await turn.Task;
        }

        _isWritingHeader = true;
        BlockBuffer buffer = default;
        try
        {
            if (_failure is not null)
            {
                throw _failure;
            }

            if (head < _head)
            {
                head = _head; // A later trim was faster.
            }

            buffer = LogScan.Rent(_area);
            new LogHeader
            {
                LogId = _logId,
                Generation = ++_generation,
                Epoch = _epoch,
                BlockCount = _blockCount,
                BlockSize = _blockSize,
                Head = head,
                EpochStart = _epochStart,
                End = _durable,
                EndLink = _durableLink,
                Window = _window,
                IsClosed = isClosed,
            }.Write(buffer.Span[.._blockSize]);
            // The older copy first, so that one of the two is always whole and no more than one writing behind.
            await _area.WriteAsync(_firstCopy, buffer, _blockSize, WriteDurability.Durable);
            await _area.WriteAsync(_area.BlockCount - 1 - _firstCopy, buffer, _blockSize, WriteDurability.Durable);
            _head = head;
        }
        catch (Exception e) when (e is BlockRequestException or BindingRevokedException)
        {
            Fail(e);
            throw;
        }
        finally
        {
            if (buffer != default)
            {
                _area.Buffers.Return(buffer);
            }

            _isWritingHeader = false;
            if (_headerTurns.TryDequeue(out TaskCompletionSource? next))
            {
                _isWritingHeader = true;
                next.SetResult();
            }
        }
    }

    private static void CheckArea(IStorageArea area, LogOptions options)
    {
        ArgumentNullException.ThrowIfNull(area);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxWritesInFlight, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.MaxWritesInFlight, 64);
        if (area.BlockCount < LogFormat.MinBlocks + 2)
        {
            throw new ArgumentException($"A log needs {LogFormat.MinBlocks + 2} blocks, the area has {area.BlockCount}.", nameof(area));
        }
    }

    private static int WriteBlocks(IStorageArea area) =>
        (int)Math.Min(Math.Min(area.Buffers.BufferSize / area.BlockSize, area.MaxTransferBlocks), area.BlockCount - 2);

    private LogWrite[] RentWrites(int count)
    {
        if (_writeBlocks == 0)
        {
            throw new ArgumentException($"The area's buffers of {_area.Buffers.BufferSize} bytes are shorter than a block of {_blockSize}.");
        }

        if (_area.Buffers.FreeCount < count + 1)
        {
            throw new InvalidOperationException($"The log needs {count + 1} free buffers, the area has {_area.Buffers.FreeCount}: bind it with more.");
        }

        var writes = new LogWrite[count];
        for (int i = 0; i < count; i++)
        {
            _ = _area.Buffers.TryRent(out BlockBuffer buffer);
            writes[i] = new LogWrite(buffer, _writeBlocks, _blockSize, OnWriteDone);
        }

        return writes;
    }

    private void ReturnWrites()
    {
        foreach (LogWrite write in _writes)
        {
            _area.Buffers.Return(write.Buffer);
        }
    }
}
