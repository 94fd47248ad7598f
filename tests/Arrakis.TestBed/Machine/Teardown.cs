namespace Arrakis.TestBed.Machine;

/// <summary>
/// What has to be undone at the end, last first. A step is noted before the thing is made, so an interruption in
/// between leaves nothing behind; undoing what was not made is no failure.
/// </summary>
public sealed class Teardown : IAsyncDisposable
{
    private readonly Stack<(string What, Func<Task> Undo)> _steps = new();
    private readonly List<string> _failures = [];

    /// <summary>What could not be undone, and why.</summary>
    public IReadOnlyList<string> Failures => _failures;

    /// <summary>Notes a step.</summary>
    /// <param name="what">What is undone, for the report of a failure.</param>
    /// <param name="undo">Undoes it.</param>
    public void Add(string what, Func<Task> undo) => _steps.Push((what, undo));

    /// <inheritdoc cref="Add(string, Func{Task})"/>
    public void Add(string what, Action undo) => Add(what, () =>
    {
        undo();
        return Task.CompletedTask;
    });

    /// <summary>Undoes everything that is noted; a failure does not keep the other steps from being undone.</summary>
    public async Task RunAsync()
    {
        while (_steps.TryPop(out (string What, Func<Task> Undo) step))
        {
            try
            {
                await step.Undo();
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                _failures.Add($"{step.What}: {e.Message}");
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => new(RunAsync());
}
