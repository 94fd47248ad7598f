using Arrakis.Measuring.Machine;
using Arrakis.Measuring.Report;

namespace Arrakis.UdpLatency.Echo;

/// <summary>
/// What the servers answer at the most, in each state of the machine: cores that are far apart answer half of what close ones do, so
/// half of one state's saturation is all of another's.
/// </summary>
internal sealed class Saturation
{
    private readonly List<(string Api, MachineState State, double Rate)> _runs = [];

    /// <summary>Takes a run of a closed loop with many in flight.</summary>
    public void Add(string api, MachineState state, double requestsPerSecond) => _runs.Add((api, state, requestsPerSecond));

    /// <summary>
    /// Requests a second of the slower server while a cache line takes as long as it does now. In a state that was not seen, the least
    /// of all states: too little is a lower load, too much is none.
    /// </summary>
    /// <param name="cacheLine">Nanoseconds there and back.</param>
    /// <exception cref="InvalidOperationException">There was no run yet.</exception>
    public double At(double cacheLine)
    {
        var now = new MachineState(cacheLine, cacheLine);
        return Slowest(_runs.Where(run => run.State.IsLike(now))) ?? Slowest(_runs) ?? throw new InvalidOperationException("Saturation is not known before a run.");
    }

    private static double? Slowest(IEnumerable<(string Api, MachineState State, double Rate)> runs) =>
        runs.GroupBy(static run => run.Api).Select(static server => (double?)Statistics.Median(server.Select(static run => run.Rate))).Min();
}
