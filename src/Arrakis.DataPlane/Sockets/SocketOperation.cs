namespace Arrakis;

/// <summary>A pending receive or send: what it shares is its place in a queue, and cancellation.</summary>
internal abstract class SocketOperation<TSelf, TResult>(Reactor reactor) : ReactorOperation<TResult>(reactor)
    where TSelf : SocketOperation<TSelf, TResult>
{
    private CancellationTokenRegistration _registration;
    private CancellationToken _cancellation;

    /// <summary>The next in the queue, or in the list of free ones.</summary>
    public TSelf? Next { get; set; }

    /// <summary>Whether it waits in a queue.</summary>
    public bool IsQueued { get; set; }

    /// <summary>Lets a token cancel it while it waits.</summary>
    public void WatchCancellation(CancellationToken cancellation)
    {
        _cancellation = cancellation;
        if (cancellation.CanBeCanceled)
        {
            _registration = cancellation.UnsafeRegister(static (state, token) => ((TSelf)state!).PostCancel(token), this);
        }
    }

    /// <summary>Completes it.</summary>
    public void Finish(TResult result)
    {
        StopWatching();
        SetResult(result);
    }

    /// <summary>Completes it.</summary>
    public void Finish(Exception error)
    {
        StopWatching();
        SetException(error);
    }

    /// <summary>Takes it out of its queue. False if it is in none.</summary>
    protected abstract bool TryUnqueue();

    private void StopWatching()
    {
        if (_cancellation.CanBeCanceled)
        {
            // Not Dispose: that would wait for a callback that runs on another thread just now.
            _ = _registration.Unregister();
            _registration = default;
            _cancellation = default;
        }
    }

    private void PostCancel(CancellationToken token) => Reactor.Post(
        _ =>
        {
            // The operation may be in another use by now; with the same token that one is cancelled just as well.
            if (_cancellation == token && TryUnqueue())
            {
                Finish(new OperationCanceledException(token));
            }
        },
        null);
}
