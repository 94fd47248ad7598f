using System.Globalization;
using Spectre.Console;

namespace Arrakis.Measuring.Sessions;

/// <summary>Shows what is done, a line for each step. Nothing moves on the terminal while a step runs: that would take time from the cores that are measured.</summary>
public static class RunLog
{
    /// <summary>Does one step and shows its outcome and time.</summary>
    /// <param name="what">What is done.</param>
    /// <param name="step">Does it; its result is shown beside, unless empty.</param>
    public static async Task StepAsync(string what, Func<Task<string>> step)
    {
        long start = TimeProvider.System.GetTimestamp();
        string outcome = await step();
        string time = TimeProvider.System.GetElapsedTime(start).TotalSeconds.ToString("0.0 s", CultureInfo.InvariantCulture);
        AnsiConsole.MarkupLineInterpolated($"[green]✓[/] {what}{(outcome.Length == 0 ? "" : ": ")}[bold]{outcome}[/] [grey]({time})[/]");
    }

    /// <summary>Shows what comes next.</summary>
    public static void Title(string title) => AnsiConsole.MarkupLineInterpolated($"[bold]{title}[/]");

    /// <summary>Shows something.</summary>
    public static void Note(string note) => AnsiConsole.MarkupLineInterpolated($"{note}");

    /// <summary>Shows what makes figures less certain.</summary>
    public static void Warn(string warning) => AnsiConsole.MarkupLineInterpolated($"[yellow]! {warning}[/]");

    /// <summary>Shows why the run ends.</summary>
    public static void Fail(string failure) => AnsiConsole.MarkupLineInterpolated($"[red]✗ {failure}[/]");
}
