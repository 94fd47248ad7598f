using Arrakis.Wire;

namespace Arrakis.DataPlane.Link;

/// <summary>
/// What the queues of a binding know together of neighbours: an answer comes to one queue, whichever asked. Each queue sends by a
/// table of its own; it looks here when it misses something there, and when <see cref="Version"/> says that there is news.
/// </summary>
/// <remarks>
/// One writer at a time; a reader takes no lock and waits for nobody: it sees a whole entry, or is told to come again. Sets of
/// entries, so that nobody can make it grow. Time is in nanoseconds.
/// </remarks>
/// <param name="onNews">Called by a writer when there is news, so that queues that sleep take it.</param>
internal sealed class NeighbourDirectory(Action onNews)
{
    // An answer that prolongs what is known by less is no news: a neighbour that repeats itself costs the other queues nothing.
    private const long NewsAfter = 1_000_000_000;

    private readonly SharedNeighbour[] _entries = new SharedNeighbour[NeighbourTable.Sets * NeighbourTable.Ways];
    private int _sequence; // Odd while somebody writes.
    private long _version;

    /// <summary>Changes when there is something new.</summary>
    public long Version => Volatile.Read(ref _version);

    /// <summary>Reads an entry; its address is zero where there is none. False where somebody writes: try again later.</summary>
    public bool TryRead(Ipv4Address address, out SharedNeighbour entry)
    {
        entry = default;
        int before = Volatile.Read(ref _sequence);
        if ((before & 1) != 0)
        {
            return false;
        }

        SharedNeighbour found = default;
        foreach (ref readonly SharedNeighbour candidate in SetOf(address))
        {
            if (candidate.Address == address)
            {
                found = candidate;
                break;
            }
        }

        // What was read above is read before the sequence is looked at once more.
        Volatile.ReadBarrier();
        if (Volatile.Read(ref _sequence) != before)
        {
            return false;
        }

        entry = found;
        return true;
    }

    /// <summary>
    /// Whether the caller may ask for a neighbour now; all queues together ask no more often than each
    /// <see cref="ArpProtocol.RequestInterval"/> (RFC 1122 §2.3.2.1).
    /// </summary>
    /// <param name="address">The neighbour.</param>
    /// <param name="now">The time.</param>
    /// <param name="next">When somebody may ask again.</param>
    public bool TryBeginRequest(Ipv4Address address, long now, out long next)
    {
        BeginWrite();
        try
        {
            ref SharedNeighbour entry = ref FindOrReplace(address, now, evenAsked: true, out _);
            if (now < entry.NextRequest)
            {
                next = entry.NextRequest;
                return false;
            }

            next = entry.NextRequest = now + ArpProtocol.RequestInterval;
            entry.IsAsked = true;
            return true;
        }
        finally
        {
            EndWrite();
        }
    }

    /// <summary>Lets all queues know a neighbour's hardware address.</summary>
    public void Publish(Ipv4Address address, MacAddress mac, long expires, long now)
    {
        bool isNews;
        BeginWrite();
        try
        {
            ref SharedNeighbour entry = ref FindOrReplace(address, now, evenAsked: false, out bool found);
            if (!found)
            {
                return;
            }

            isNews = entry.Mac != mac || expires - entry.Expires >= NewsAfter;
            entry.Mac = mac;
            entry.Expires = expires;
            entry.IsAsked = false;
            if (isNews)
            {
                Volatile.Write(ref _version, _version + 1);
            }
        }
        finally
        {
            EndWrite();
        }

        if (isNews)
        {
            onNews();
        }
    }

    // The entry of an address, or else a free one, or the one that is needed least: it is then the address's. An answer that is
    // waited for is not driven out by those who only make themselves known.
    private ref SharedNeighbour FindOrReplace(Ipv4Address address, long now, bool evenAsked, out bool found)
    {
        Span<SharedNeighbour> set = SetOf(address);
        int victim = -1;
        for (int i = 0; i < set.Length; i++)
        {
            if (set[i].Address == address)
            {
                found = true;
                return ref set[i];
            }

            bool isAsked = set[i].IsAsked && now < set[i].NextRequest + ArpProtocol.RequestInterval;
            if ((evenAsked || !isAsked) && (victim < 0 || IsNeededLess(in set[i], in set[victim])))
            {
                victim = i;
            }
        }

        found = victim >= 0;
        ref SharedNeighbour entry = ref set[Math.Max(victim, 0)];
        if (found)
        {
            entry = default;
            entry.Address = address;
        }

        return ref entry;
    }

    private static bool IsNeededLess(ref readonly SharedNeighbour one, ref readonly SharedNeighbour other) =>
        one.IsAsked != other.IsAsked ? other.IsAsked : one.Expires < other.Expires;

    private Span<SharedNeighbour> SetOf(Ipv4Address address) => _entries.AsSpan(NeighbourTable.FirstOf(address), NeighbourTable.Ways);

    // A few dozen instructions, once for an ARP packet or a request: nobody sleeps for that.
    private void BeginWrite()
    {
        while (true)
        {
            int sequence = Volatile.Read(ref _sequence);
            if ((sequence & 1) == 0 && Interlocked.CompareExchange(ref _sequence, sequence + 1, sequence) == sequence)
            {
                return;
            }

            Thread.SpinWait(1);
        }
    }

    private void EndWrite() => Volatile.Write(ref _sequence, _sequence + 1);
}

/// <summary>What the queues of a binding know together of one neighbour.</summary>
internal struct SharedNeighbour
{
    /// <summary>The neighbour; zero is a free entry.</summary>
    public Ipv4Address Address;

    /// <summary>Its hardware address, or none yet.</summary>
    public MacAddress Mac;

    /// <summary>When the hardware address is no longer to be used; zero where it was never known.</summary>
    public long Expires;

    /// <summary>When the next request may go out.</summary>
    public long NextRequest;

    /// <summary>Whether a queue has asked and no answer has come since.</summary>
    public bool IsAsked;
}
