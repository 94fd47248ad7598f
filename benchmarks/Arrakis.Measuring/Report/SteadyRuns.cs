using Arrakis.Measuring.Machine;

namespace Arrakis.Measuring.Report;

/// <summary>
/// Chooses runs that can be compared. On a virtual machine the distance of two cores changes every few seconds, and a run in one
/// state says nothing about a run in the other.
/// </summary>
public static class SteadyRuns
{
    /// <summary>The runs of the state that most of them had; of two such states, of the one with the shorter distance. None where none was steady.</summary>
    /// <param name="runs">The runs.</param>
    /// <param name="state">The machine's state during a run.</param>
    /// <typeparam name="T">A run.</typeparam>
    public static IReadOnlyList<T> InOneState<T>(IReadOnlyList<T> runs, Func<T, MachineState> state) =>
        Most<T, T>(runs, state, reference => [.. runs.Where(run => state(run).IsLike(reference))]);

    /// <summary>Pairs of one run of each of two parties, of the state that has most of them.</summary>
    /// <param name="ours">Runs of one party, in the order in which they were made: a pair is close in time too.</param>
    /// <param name="theirs">Runs of the other.</param>
    /// <param name="state">The machine's state during a run.</param>
    /// <typeparam name="T">A run.</typeparam>
    public static IReadOnlyList<(T Ours, T Theirs)> Pairs<T>(IReadOnlyList<T> ours, IReadOnlyList<T> theirs, Func<T, MachineState> state) => Most<T, (T, T)>(
        ours,
        state,
        reference => [.. ours.Where(run => state(run).IsLike(reference)).Zip(theirs.Where(run => state(run).IsLike(reference)))]);

    private static IReadOnlyList<TChosen> Most<T, TChosen>(IReadOnlyList<T> references, Func<T, MachineState> state, Func<MachineState, IReadOnlyList<TChosen>> alike) =>
        references.Select(state).OrderBy(static one => one.Line).Select(alike).MaxBy(static chosen => chosen.Count) ?? [];
}
