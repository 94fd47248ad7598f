using System.Runtime.InteropServices;
using Arrakis.Measuring.Machine;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;
using Spectre.Console;

namespace Arrakis.Measuring.Sessions;

/// <summary>One run of a measuring program: the machine is looked at first, and is as it was afterwards, whatever ends the run.</summary>
public static class MeasuringSession
{
    private const int Failed = 1;
    private const int RequirementsMissing = 2;
    private const int SignalBase = 128;
    private const int WidthWithoutTerminal = 160;

    /// <summary>Runs a command: checks the machine first, undoes everything at the end, also on SIGINT, SIGTERM and SIGHUP.</summary>
    /// <param name="needs">What it needs of the machine.</param>
    /// <param name="run">What it does; what it notes in the teardown is undone, last first.</param>
    /// <returns>The exit code: 0; 1 where a step failed; 2 where the machine lacks something; 128 and the signal's number.</returns>
    public static async Task<int> RunAsync(SessionNeeds needs, Func<Teardown, CancellationToken, Task> run)
    {
        if (Console.IsOutputRedirected)
        {
            AnsiConsole.Profile.Width = WidthWithoutTerminal;
        }

        IReadOnlyList<string> missing = Requirements.Missing(needs, Environment.IsPrivilegedProcess);
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
        var teardown = new Teardown();
        int code = await RunStepsAsync(needs, teardown, run, stop.Token);
        code = await TearDownAsync(teardown) ? code : Failed;
        return Volatile.Read(ref signalled) is int number and > 0 ? SignalBase + number : code;
    }

    private static int NumberOf(PosixSignal signal) => signal switch
    {
        PosixSignal.SIGHUP => 1,
        PosixSignal.SIGINT => 2,
        _ => 15,
    };

    private static async Task<int> RunStepsAsync(SessionNeeds needs, Teardown teardown, Func<Teardown, CancellationToken, Task> run, CancellationToken cancellation)
    {
        try
        {
            await PrepareAsync(needs, teardown, cancellation);
            await run(teardown, cancellation);
            return 0;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            AnsiConsole.MarkupLine("[yellow]Interrupted: cleaning up.[/]");
            return Failed;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            RunLog.Fail(e.Message);
            return Failed;
        }
    }

    private static async Task PrepareAsync(SessionNeeds needs, Teardown teardown, CancellationToken cancellation)
    {
        if (HugePageReservation.Ensure(needs.HugePages, teardown) is string warning)
        {
            RunLog.Warn(warning);
        }

        if (needs.CountsSystemCalls)
        {
            await TraceFileSystem.EnsureAsync(teardown, cancellation);
        }

        // Undone after what is noted later, so the daemon ends its device and keeper itself; this finds what it forgot.
        teardown.Add("end all processes", RunMark.EndAllAsync);
    }

    private static async Task<bool> TearDownAsync(Teardown teardown)
    {
        await teardown.RunAsync();
        foreach (string failure in teardown.Failures)
        {
            RunLog.Fail($"Could not {failure}");
        }

        return teardown.Failures.Count == 0;
    }
}
