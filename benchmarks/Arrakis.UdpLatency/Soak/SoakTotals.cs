using Arrakis.Contract.Control;

namespace Arrakis.UdpLatency.Soak;

/// <summary>What became of the requests of a soak, and whether it adds up.</summary>
internal sealed class SoakTotals
{
    /// <summary>Requests sent.</summary>
    public long Sent { get; private set; }

    /// <summary>Replies as sent.</summary>
    public long Received { get; private set; }

    /// <summary>Requests without a reply in time.</summary>
    public long Lost { get; private set; }

    /// <summary>Requests that were due and never sent.</summary>
    public long Unsent { get; private set; }

    /// <summary>Replies that were wrong.</summary>
    public long Corrupt { get; private set; }

    /// <summary>Adds an interval.</summary>
    public void Add(TestResult result)
    {
        Sent += result.Sent;
        Received += result.Received;
        Lost += result.Lost;
        Unsent += result.Unsent;
        Corrupt += result.Corrupt;
    }

    /// <summary>Lost requests that no counter explains.</summary>
    /// <param name="drops">Frames that the device counted as dropped meanwhile, by port and reason.</param>
    public long Unexplained(IReadOnlyDictionary<string, long> drops) => Math.Max(0, Lost - drops.Values.Sum());

    /// <summary>Everything that is not as it must be.</summary>
    /// <param name="drops">Frames that the device counted as dropped meanwhile, by port and reason.</param>
    /// <param name="neighboursBound">Neighbours that came.</param>
    /// <param name="neighboursRevoked">Neighbours that were taken back.</param>
    /// <param name="memory">The memory of everybody who took part.</param>
    public IReadOnlyList<string> Faults(IReadOnlyDictionary<string, long> drops, long neighboursBound, long neighboursRevoked, IEnumerable<MemoryTrend> memory)
    {
        List<string> faults = [];
        if (Unexplained(drops) is > 0 and var unexplained)
        {
            faults.Add($"{unexplained} of {Lost} lost requests are explained by no counter.");
        }

        if (Corrupt > 0)
        {
            faults.Add($"{Corrupt} replies were corrupt.");
        }

        if (Sent != Received + Lost)
        {
            faults.Add($"{Sent} were sent, {Received} answered and {Lost} lost: that does not add up.");
        }

        if (neighboursBound == 0 || neighboursRevoked == 0)
        {
            faults.Add("No neighbour came and went.");
        }

        faults.AddRange(memory.Where(static trend => !trend.IsFlat).Select(static trend => $"The memory of the {trend.Name} grows."));
        return faults;
    }

    /// <summary>What was counted between two looks; what was not counted is left out.</summary>
    public static IReadOnlyDictionary<string, long> Between(IReadOnlyDictionary<string, long> before, IReadOnlyDictionary<string, long> after) =>
        after.Select(drop => (drop.Key, Count: drop.Value - before.GetValueOrDefault(drop.Key)))
            .Where(static drop => drop.Count != 0)
            .ToDictionary(static drop => drop.Key, static drop => drop.Count);
}
