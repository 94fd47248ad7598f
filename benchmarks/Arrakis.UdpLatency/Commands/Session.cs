using System.Runtime.InteropServices;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;
using Arrakis.UdpLatency.Machine;
using Arrakis.UdpLatency.Report;
using Spectre.Console;

namespace Arrakis.UdpLatency.Commands;

/// <summary>What a command's run has: the plan, the terminal, and what is undone at its end.</summary>
internal sealed class Session
{
    private const int Failed = 1;
    private const int RequirementsMissing = 2;
    private const int SignalBase = 128;
    private const int WantedHugePages = 80;
    private const int WidthWithoutTerminal = 160;

    private Session(MeasurementPlan plan) => Plan = plan;

    public MeasurementPlan Plan { get; }

    public Teardown Teardown { get; } = new();

    /// <summary>Runs a command: checks the machine first, undoes everything at the end, also on SIGINT, SIGTERM and SIGHUP.</summary>
    /// <returns>The exit code: 0; 1 where a step failed; 2 where the machine lacks something; 128 and the signal's number.</returns>
    /// <param name="plan">What its runs have in common.</param>
    /// <param name="programs">Programs that it needs beside those that all need.</param>
    /// <param name="run">What it does.</param>
    public static async Task<int> RunAsync(MeasurementPlan plan, IReadOnlyList<string> programs, Func<Session, CancellationToken, Task> run)
    {
        if (Console.IsOutputRedirected)
        {
            AnsiConsole.Profile.Width = WidthWithoutTerminal;
        }

        IReadOnlyList<string> missing = Requirements.Missing([plan.ClientCore, plan.ServerCore], Environment.IsPrivilegedProcess, programs);
        if (missing.Count > 0)
        {
            Console.Error.WriteLine("This machine lacks:");
            foreach (string item in missing)
            {
                Console.Error.WriteLine($"  {item}");
            }

            return RequirementsMissing;
        }

        using var stop = new CancellationTokenSource();
        int signalled = 0;
        void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            if (Interlocked.CompareExchange(ref signalled, NumberOf(context.Signal), 0) == 0)
            {
                stop.Cancel();
            }
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);
        var session = new Session(plan);
        int code = await session.RunStepsAsync(run, stop.Token);
        code = await session.TearDownAsync() ? code : Failed;
        return Volatile.Read(ref signalled) is int number and > 0 ? SignalBase + number : code;
    }

    private static int NumberOf(PosixSignal signal) => signal switch
    {
        PosixSignal.SIGHUP => 1,
        PosixSignal.SIGINT => 2,
        _ => 15,
    };

    private async Task PrepareAsync(CancellationToken cancellation)
    {
        if (HugePageReservation.Ensure(WantedHugePages, Teardown) is string warning)
        {
            Progress.Warn(warning);
        }

        await TraceFileSystem.EnsureAsync(Teardown, cancellation);

        // Undone after what is noted later, so the daemon ends its device and keeper itself; this finds what it forgot.
        Teardown.Add("end all processes", RunMark.EndAllAsync);
    }

    private async Task<int> RunStepsAsync(Func<Session, CancellationToken, Task> run, CancellationToken cancellation)
    {
        try
        {
            await PrepareAsync(cancellation);
            await run(this, cancellation);
            return 0;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            AnsiConsole.MarkupLine("[yellow]Interrupted: cleaning up.[/]");
            return Failed;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            AnsiConsole.MarkupLineInterpolated($"[red]✗ {e.Message}[/]");
            return Failed;
        }
    }

    private async Task<bool> TearDownAsync()
    {
        await Teardown.RunAsync();
        foreach (string failure in Teardown.Failures)
        {
            AnsiConsole.MarkupLineInterpolated($"[red]✗ Could not {failure}[/]");
        }

        return Teardown.Failures.Count == 0;
    }
}
