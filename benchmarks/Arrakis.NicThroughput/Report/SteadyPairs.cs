using Arrakis.NicThroughput.FrontEnds;

namespace Arrakis.NicThroughput.Report;

/// <summary>One run of each party, while the machine was in the same state.</summary>
internal readonly record struct Pair(Measurement Arrakis, Measurement Dpdk);

/// <summary>
/// Puts runs of two parties together. On a virtual machine the distance of two cores changes every few seconds, and a run in one
/// state says nothing about a run in the other: only runs in the same state make a pair.
/// </summary>
internal static class SteadyPairs
{
    /// <summary>The pairs of the state that has most of them; of two such states, the one with the shorter distance.</summary>
    public static IReadOnlyList<Pair> Of(IReadOnlyList<Measurement> arrakis, IReadOnlyList<Measurement> dpdk)
    {
        IReadOnlyList<Pair> best = [];
        foreach (Measurement reference in arrakis.OrderBy(static one => one.State.Line))
        {
            // In the order in which they were made, so that a pair is close in time too.
            List<Pair> pairs =
            [
                .. Like(arrakis, reference.State).Zip(Like(dpdk, reference.State), static (ours, theirs) => new Pair(ours, theirs)),
            ];
            best = pairs.Count > best.Count ? pairs : best;
        }

        return best;
    }

    private static IEnumerable<Measurement> Like(IReadOnlyList<Measurement> all, MachineState state) => all.Where(one => one.State.IsLike(state));
}
