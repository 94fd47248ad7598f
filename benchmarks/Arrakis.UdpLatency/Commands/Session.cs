using Arrakis.Measuring.Sessions;
using Arrakis.TestBed.Machine;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Commands;

/// <summary>What a command's run has.</summary>
/// <param name="Plan">What its measurements have in common.</param>
/// <param name="Teardown">What is undone at its end.</param>
internal sealed record Session(MeasurementPlan Plan, Teardown Teardown)
{
    private const int WantedHugePages = 80;

    /// <summary>Runs a command; returns the exit code, see <see cref="MeasuringSession.RunAsync"/>.</summary>
    /// <param name="plan">What its measurements have in common.</param>
    /// <param name="programs">Programs that it needs beside those that all need.</param>
    /// <param name="run">What it does.</param>
    public static Task<int> RunAsync(MeasurementPlan plan, IReadOnlyList<RequiredProgram> programs, Func<Session, CancellationToken, Task> run) =>
        MeasuringSession.RunAsync(
            new SessionNeeds
            {
                Cores = [plan.ClientCore, plan.ServerCore],
                CoreOptions = "--client-core and --server-core",
                HugePages = WantedHugePages,
                Programs = programs,
                CountsSystemCalls = true,
                HasUplink = true,
            },
            (teardown, cancellation) => run(new Session(plan, teardown), cancellation));
}
