using System.Buffers;
using Arrakis.Contract;

namespace Arrakis.Samples.KvStore.Data;

/// <summary>
/// The database and its log. A transaction changes memory at once and the log with one record; who was told of it, or has seen it, is told
/// when that is durable. For one thread.
/// </summary>
/// <remarks>
/// Compaction: when the log is half full, all keys are written again, some at a time between other work, and then the log is trimmed to where
/// that began. Each is written as it is then, so the log's order is that of the changes, and reading it from there on gives all keys.
/// </remarks>
internal sealed class DurableStore
{
    // Parts of the log's capacity, in percent. Writers wait where less is free than all keys need.
    private const int CompactAt = 50;
    private const int MaxWeight = 30;
    private const int MinFree = 40;
    private const int ChunkLength = 64 * 1024;

    private readonly PersistentLog _log;
    private readonly TimeProvider _time;
    private readonly PriorityQueue<TaskCompletionSource, long> _waiting = new();
    private long _issued; // Commits that were begun,
    private long _durable; // and those that are durable.
    private Task _compaction = Task.CompletedTask;
    private int _sweepSlot;

    private DurableStore(PersistentLog log, TimeProvider time)
    {
        _log = log;
        _time = time;
        MaxCommandLength = (int)Math.Clamp(log.Capacity / 64, 4096, 16 << 20);
    }

    public Database Database { get; } = new();

    /// <summary>What opening the log found.</summary>
    public LogRecovery Recovery => _log.Recovery;

    /// <summary>The most bytes of one command.</summary>
    public int MaxCommandLength { get; }

    /// <summary>The number that a commit of now would have.</summary>
    public long NextCommit => _issued + 1;

    /// <summary>The last commit that took a key away: who finds none has seen that.</summary>
    public long LastRemoval { get; set; }

    /// <summary>Compactions so far.</summary>
    public int Compactions { get; private set; }

    /// <summary>Why the store is of no more use, if so.</summary>
    public Exception? Failure { get; private set; }

    public long UsedLength => _log.UsedLength;

    public long Capacity => _log.Capacity;

    public long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Whether so many bytes more of keys and values are too many.</summary>
    public bool IsFullFor(long more) => Database.Weight + more > Capacity * MaxWeight / 100;

    /// <summary>Opens the store: reads its log.</summary>
    public static async Task<DurableStore> OpenAsync(IStorageArea area, TimeProvider time)
    {
        var store = new DurableStore(await PersistentLog.OpenOrCreateAsync(area), time);
        await foreach (LogRecord record in store._log.ReadAsync())
        {
            Effects.Replay(record.Data.Span, store.Database);
        }

        return store;
    }

    /// <summary>Waits until there is room for a transaction.</summary>
    public async ValueTask RoomAsync()
    {
        while (Failure is null && _log.Capacity - _log.UsedLength < _log.Capacity * MinFree / 100)
        {
            if (_compaction.IsCompleted)
            {
                _compaction = CompactAsync(); // Many appended at once.
            }

            await _compaction;
        }
    }

    /// <summary>Ends a transaction: completes when its changes are durable, and all that it has seen.</summary>
    /// <param name="effects">Its changes; to be left alone until then.</param>
    /// <param name="seen">The last commit that it has seen.</param>
    public async ValueTask CommitAsync(ReadOnlyMemory<byte> effects, long seen)
    {
        if (!effects.IsEmpty)
        {
            long commit = ++_issued;
            try
            {
                await _log.AppendAsync(effects);
            }
            catch (Exception e)
            {
                // Memory has what the log has not.
                Fail(e);
                throw;
            }

            Advance(commit);
            if (_compaction.IsCompleted && _log.UsedLength > _log.Capacity * CompactAt / 100)
            {
                _compaction = CompactAsync();
            }
        }
        else if (seen > _durable)
        {
            if (Failure is not null)
            {
                throw Failure;
            }

            var turn = new TaskCompletionSource();
            _waiting.Enqueue(turn, seen);
            await turn.Task;
        }
    }

    /// <summary>Takes keys away whose time is over: of some slots at each call.</summary>
    public async ValueTask SweepAsync(int slots)
    {
        var effects = new ArrayBufferWriter<byte>();
        long now = Now;
        for (int i = 0; i < slots && i < Database.Slots; i++)
        {
            _sweepSlot = _sweepSlot + 1 < Database.Slots ? _sweepSlot + 1 : 0;
            if (Database[_sweepSlot] is { } entry && entry.IsExpired(now))
            {
                Effects.Remove(effects, entry.Key);
                _ = Database.Remove(entry.Key);
                LastRemoval = NextCommit;
            }
        }

        await CommitAsync(effects.WrittenMemory, 0);
    }

    /// <summary>Fails where the storage is gone: as long as nothing is written, no append would say so.</summary>
    public void FailIfGone(Action throwIfGone)
    {
        try
        {
            throwIfGone();
        }
        catch (ArrakisException e)
        {
            Fail(e);
        }
    }

    /// <summary>Waits for what is under way, and closes the log.</summary>
    public async ValueTask CloseAsync()
    {
        try
        {
            await _compaction;
        }
        finally
        {
            await _log.DisposeAsync();
        }
    }

    private async Task CompactAsync()
    {
        try
        {
            LogPosition start = _log.End; // Later changes come after it; earlier ones that are under way too.
            var chunk = new ArrayBufferWriter<byte>(ChunkLength);
            for (int slot = 0; slot < Database.Slots;)
            {
                for (; slot < Database.Slots && chunk.WrittenCount < ChunkLength; slot++)
                {
                    if (Database[slot] is { } entry)
                    {
                        Effects.Set(chunk, entry.Key, entry.Value, entry.ExpiresAt);
                    }
                }

                if (chunk.WrittenCount > 0)
                {
                    await _log.AppendAsync(chunk.WrittenMemory);
                    chunk.ResetWrittenCount();
                }
            }

            await _log.TrimAsync(start);
            Compactions++;
        }
        catch (Exception e)
        {
            Fail(e);
        }
    }

    private void Advance(long commit)
    {
        _durable = Math.Max(_durable, commit);
        while (_waiting.TryPeek(out TaskCompletionSource? turn, out long seen) && seen <= _durable)
        {
            _ = _waiting.Dequeue();
            turn.SetResult();
        }
    }

    private void Fail(Exception error)
    {
        Failure ??= error;
        while (_waiting.TryDequeue(out TaskCompletionSource? turn, out _))
        {
            turn.SetException(Failure);
        }
    }
}
