using Arrakis.StorageLatency.Backings;
using Arrakis.StorageLatency.Parties;
using Arrakis.StorageLatency.Report;

namespace Arrakis.StorageLatency;

/// <summary>All workloads on one medium, each by every party in turn, in rounds.</summary>
internal sealed class StorageBenchmark(int rounds, TimeSpan duration, int core, int deviceCore)
{
    private static readonly int[] s_depths = [1, 32, 128];

    /// <summary>What is done.</summary>
    public IReadOnlyList<Work> Works { get; init; } = Enum.GetValues<Work>();

    /// <summary>Measures a medium.</summary>
    public async Task<IReadOnlyList<StorageRow>> RunAsync(Backing backing, CancellationToken cancellation)
    {
        await using ArrakisParty arrakis = await ArrakisParty.StartAsync(backing.AreaFile, core, deviceCore, cancellation);
        IParty[] parties = [arrakis, new FileParty(backing.Folder), new FioParty(backing.Folder, false), new FioParty(backing.Folder, true)];
        List<(Workload Load, IParty Party)> runs =
        [
            .. from work in Works
               from depth in s_depths
               from party in parties
               let load = new Workload(work, depth)
               where party.Has(load)
               select (load, party),
        ];
        var samples = runs.ToDictionary(static run => run, static _ => new List<Sample>());
        for (int round = 0; round < rounds; round++)
        {
            // In turn forwards and backwards, as the machine's state may have a trend.
            foreach ((Workload Load, IParty Party) run in round % 2 == 0 ? runs : Enumerable.Reverse(runs))
            {
                cancellation.ThrowIfCancellationRequested();
                samples[run].Add(await run.Party.RunAsync(run.Load, duration, cancellation));
            }
        }

        return [.. runs.Select(run => StorageRow.Of(backing.Name, run.Load, run.Party.Name, samples[run]))];
    }
}
