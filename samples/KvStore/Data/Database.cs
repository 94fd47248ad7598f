namespace Arrakis.Samples.KvStore.Data;

/// <summary>Keys in memory. A key keeps its slot as long as it lives, so going over the slots meets each key that is there all the while.</summary>
internal sealed class Database
{
    private readonly Dictionary<byte[], int> _slots = new(new ByteKeys());
    private readonly Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> _lookup;
    private readonly List<Entry?> _entries = [];
    private readonly Stack<int> _free = new();

    public Database() => _lookup = _slots.GetAlternateLookup<ReadOnlySpan<byte>>();

    /// <summary>Keys.</summary>
    public int Count => _slots.Count;

    /// <summary>Slots, in use or not.</summary>
    public int Slots => _entries.Count;

    /// <summary>Bytes that all keys take in the log, about.</summary>
    public long Weight { get; private set; }

    /// <summary>What a slot has.</summary>
    public Entry? this[int slot] => _entries[slot];

    public Entry? Find(ReadOnlySpan<byte> key) => _lookup.TryGetValue(key, out int slot) ? _entries[slot] : null;

    public Entry Set(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long expiresAt)
    {
        Entry entry = FindOrAdd(key);
        Weight += value.Length - entry.Value.Length;
        if (entry.Value.Length == value.Length)
        {
            value.CopyTo(entry.Value);
        }
        else
        {
            entry.Value = value.ToArray();
        }

        entry.ExpiresAt = expiresAt;
        return entry;
    }

    public Entry Append(ReadOnlySpan<byte> key, ReadOnlySpan<byte> more)
    {
        Entry entry = FindOrAdd(key);
        entry.Value = [.. entry.Value, .. more];
        Weight += more.Length;
        return entry;
    }

    public bool Remove(ReadOnlySpan<byte> key)
    {
        if (!_lookup.Remove(key, out _, out int slot))
        {
            return false;
        }

        Weight -= _entries[slot]!.Weight;
        _entries[slot] = null;
        _free.Push(slot);
        return true;
    }

    public void Clear()
    {
        _slots.Clear();
        _entries.Clear();
        _free.Clear();
        Weight = 0;
    }

    private Entry FindOrAdd(ReadOnlySpan<byte> key)
    {
        if (Find(key) is { } known)
        {
            return known;
        }

        var entry = new Entry(key.ToArray());
        if (_free.TryPop(out int slot))
        {
            _entries[slot] = entry;
        }
        else
        {
            slot = _entries.Count;
            _entries.Add(entry);
        }

        _slots.Add(entry.Key, slot);
        Weight += entry.Weight;
        return entry;
    }
}
