namespace Arrakis.SoftDevice.Polling;

/// <summary>How often something was turned away, by reason. The polling thread writes it; any thread may read.</summary>
/// <param name="count">How many reasons there are; the first, 0, is that there was none.</param>
/// <param name="name">A reason's name.</param>
internal sealed class ReasonCounts(int count, Func<int, string> name)
{
    private readonly long[] _counts = new long[count];

    /// <summary>One more.</summary>
    public void Count(int reason) => _counts[reason]++;

    /// <summary>Starts from zero. Polling thread only.</summary>
    public void Clear() => Array.Clear(_counts);

    /// <summary>What was counted; reasons that did not occur are left out.</summary>
    public IReadOnlyDictionary<string, long> Read()
    {
        Dictionary<string, long> read = [];
        for (int reason = 1; reason < _counts.Length; reason++)
        {
            if (Volatile.Read(ref _counts[reason]) is > 0 and var times)
            {
                read[name(reason)] = times;
            }
        }

        return read;
    }
}
