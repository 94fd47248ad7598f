using System.Collections.Concurrent;

namespace Arrakis.Samples.KvStore.Files;

/// <summary>One thread that all awaits of the code it runs go on in: what a reactor is where an area is bound from the daemon.</summary>
internal sealed class EventLoop : SynchronizationContext, IDisposable
{
    private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> _posts = [];

    public override void Post(SendOrPostCallback d, object? state)
    {
        try
        {
            _posts.Add((d, state));
        }
        catch (InvalidOperationException)
        {
            // The loop has ended, and nobody waits for what comes after.
        }
    }

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("Nobody may wait for the loop.");

    /// <summary>Runs work on the calling thread until it has ended.</summary>
    public T Run<T>(Func<Task<T>> work)
    {
        SynchronizationContext? before = Current;
        SetSynchronizationContext(this);
        try
        {
            Task<T> task = work();
            _ = task.ContinueWith(_ => _posts.CompleteAdding(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            foreach ((SendOrPostCallback callback, object? state) in _posts.GetConsumingEnumerable())
            {
                callback(state);
            }

            return task.GetAwaiter().GetResult();
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    public void Dispose() => _posts.Dispose();
}
