using System.Buffers;
using Arrakis.Samples.KvStore.Data;
using Arrakis.Samples.KvStore.Protocol;

namespace Arrakis.Samples.KvStore.Commands;

/// <summary>A connection's side of its commands: replies that wait to be sent, and the transaction of those that came together.</summary>
internal sealed class Session(long id, DurableStore store, IBufferWriter<byte> output)
{
    private readonly ArrayBufferWriter<byte> _effects = new();

    public long Id => id;

    public DurableStore Store => store;

    public Database Database => store.Database;

    public RespWriter Reply { get; } = new(output);

    public string Name { get; set; } = "";

    /// <summary>Whether the connection is to end after the replies.</summary>
    public bool IsEnding { get; set; }

    /// <summary>The changes of the transaction.</summary>
    public IBufferWriter<byte> Effects => _effects;

    /// <summary>Bytes of the changes.</summary>
    public int EffectsLength => _effects.WrittenCount;

    /// <summary>The last commit that the transaction has seen.</summary>
    public long Seen { get; private set; }

    /// <summary>Time as this command has it, in milliseconds of Unix time.</summary>
    public long Now { get; set; }

    /// <summary>A key for reading. What is over is not there, but stays until it is swept: taking it away is a change.</summary>
    public Entry? Read(ReadOnlySpan<byte> key)
    {
        if (Database.Find(key) is { } entry && !entry.IsExpired(Now))
        {
            Seen = Math.Max(Seen, entry.Commit);
            return entry;
        }

        Seen = Math.Max(Seen, store.LastRemoval);
        return null;
    }

    /// <summary>A key for changing: what is over is taken away.</summary>
    public Entry? Take(ReadOnlySpan<byte> key)
    {
        if (Database.Find(key) is { } entry && entry.IsExpired(Now))
        {
            _ = Remove(key);
        }

        return Read(key);
    }

    public void Set(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long expiresAt)
    {
        Data.Effects.Set(_effects, key, value, expiresAt);
        Database.Set(key, value, expiresAt).Commit = store.NextCommit;
    }

    public Entry Append(ReadOnlySpan<byte> key, ReadOnlySpan<byte> more)
    {
        Data.Effects.Append(_effects, key, more);
        Entry entry = Database.Append(key, more);
        entry.Commit = store.NextCommit;
        return entry;
    }

    public void Expire(Entry entry, long expiresAt)
    {
        Data.Effects.Expire(_effects, entry.Key, expiresAt);
        entry.ExpiresAt = expiresAt;
        entry.Commit = store.NextCommit;
    }

    public bool Remove(ReadOnlySpan<byte> key)
    {
        if (!Database.Remove(key))
        {
            return false;
        }

        Data.Effects.Remove(_effects, key);
        store.LastRemoval = store.NextCommit;
        return true;
    }

    public void Clear()
    {
        Data.Effects.Clear(_effects);
        Database.Clear();
        store.LastRemoval = store.NextCommit;
    }

    /// <summary>For what looks at all keys: it has seen all commits that were begun.</summary>
    public void SeeAll() => Seen = Math.Max(Seen, store.NextCommit - 1);

    /// <summary>Ends the transaction: completes when it may be told of.</summary>
    public async ValueTask CommitAsync()
    {
        await store.CommitAsync(_effects.WrittenMemory, Seen);
        _effects.ResetWrittenCount();
        Seen = 0;
    }
}
