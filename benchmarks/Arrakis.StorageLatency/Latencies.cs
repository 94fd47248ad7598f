using System.Diagnostics;

namespace Arrakis.StorageLatency;

/// <summary>Keeps times of requests.</summary>
internal sealed class Latencies(int capacity)
{
    private readonly long[] _ticks = new long[capacity];
    private long _count;

    /// <summary>Requests noted.</summary>
    public long Count => _count;

    /// <summary>Forgets all.</summary>
    public void Clear() => _count = 0;

    /// <summary>Notes one; of more than there is room for, the last ones are kept.</summary>
    public void Add(long ticks) => _ticks[_count++ % _ticks.Length] = ticks;

    /// <summary>All that are kept of several, as microseconds at some percentiles.</summary>
    public static (double P50, double P99) Percentiles(IEnumerable<Latencies> several)
    {
        long[] all = [.. several.SelectMany(static one => one._ticks.AsSpan(0, (int)Math.Min(one._count, one._ticks.Length)).ToArray())];
        Array.Sort(all);
        return all.Length == 0 ? throw new InvalidOperationException("No request ended.") : (At(0.5), At(0.99));

        double At(double part) => all[(int)Math.Min(all.Length - 1, all.Length * part)] * 1e6 / Stopwatch.Frequency;
    }
}
