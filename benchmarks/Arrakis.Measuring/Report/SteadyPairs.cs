using Arrakis.Measuring.Machine;

namespace Arrakis.Measuring.Report;

/// <summary>
/// Puts runs of two parties together. On a virtual machine the distance of two cores changes every few seconds, and a run in one
/// state says nothing about a run in the other: only runs in the same state make a pair.
/// </summary>
public static class SteadyPairs
{
    /// <summary>The pairs of the state that has most of them; of two such states, the one with the shorter distance.</summary>
    /// <param name="ours">Runs of one party, in the order in which they were made.</param>
    /// <param name="theirs">Runs of the other.</param>
    /// <param name="state">The machine's state during a run.</param>
    /// <typeparam name="T">A run.</typeparam>
    public static IReadOnlyList<(T Ours, T Theirs)> Of<T>(IReadOnlyList<T> ours, IReadOnlyList<T> theirs, Func<T, MachineState> state)
    {
        IReadOnlyList<(T, T)> best = [];
        foreach (T reference in ours.OrderBy(run => state(run).Line))
        {
            // In their order, so that a pair is close in time too.
            (T, T)[] pairs = [.. Like(ours, reference).Zip(Like(theirs, reference))];
            best = pairs.Length > best.Count ? pairs : best;
        }

        return best;

        IEnumerable<T> Like(IReadOnlyList<T> all, T reference) => all.Where(run => state(run).IsLike(state(reference)));
    }
}
