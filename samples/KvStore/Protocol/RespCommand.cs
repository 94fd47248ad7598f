namespace Arrakis.Samples.KvStore.Protocol;

/// <summary>A command's words, in memory that the next command uses again.</summary>
internal sealed class RespCommand
{
    private const int MaxKeptLength = 256 * 1024;

    private readonly List<(int Start, int Length)> _words = [];
    private byte[] _bytes = new byte[1024];
    private int _used;

    /// <summary>How many words; the first is the command's name.</summary>
    public int Count => _words.Count;

    /// <summary>Bytes of all words.</summary>
    public int Length => _used;

    /// <summary>A word.</summary>
    public ReadOnlySpan<byte> this[int index] => _bytes.AsSpan(_words[index].Start, _words[index].Length);

    public void Clear()
    {
        _words.Clear();
        _used = 0;
        if (_bytes.Length > MaxKeptLength)
        {
            _bytes = new byte[1024];
        }
    }

    /// <summary>Begins a word.</summary>
    public void Begin() => _words.Add((_used, 0));

    /// <summary>Adds to the last word.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (_bytes.Length - _used < bytes.Length)
        {
            // As bytes come, whatever length was announced.
            Array.Resize(ref _bytes, Math.Max(_used + bytes.Length, 2 * _bytes.Length));
        }

        bytes.CopyTo(_bytes.AsSpan(_used));
        _used += bytes.Length;
        (int start, int length) = _words[^1];
        _words[^1] = (start, length + bytes.Length);
    }
}
