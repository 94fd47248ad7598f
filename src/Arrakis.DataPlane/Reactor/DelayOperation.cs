namespace Arrakis;

/// <summary>A pending <see cref="Reactor.Delay"/>.</summary>
internal sealed class DelayOperation(Reactor reactor) : ReactorOperation<int>(reactor)
{
    private CancellationTokenRegistration _registration;
    private CancellationToken _cancellation;

    /// <summary>When it is due, in nanoseconds.</summary>
    public long Deadline { get; set; }

    /// <summary>Its place in the heap, which keeps it; -1 while it is in none.</summary>
    public int Place { get; set; } = -1;

    /// <summary>Prepares a use.</summary>
    public void Start(long deadline, CancellationToken cancellation)
    {
        Deadline = deadline;
        _cancellation = cancellation;
        Reactor.Timers.Add(this);
        if (cancellation.CanBeCanceled)
        {
            _registration = cancellation.UnsafeRegister(static (state, token) => ((DelayOperation)state!).PostCancel(token), this);
        }
    }

    /// <summary>Ends it.</summary>
    public void Finish(Exception? error)
    {
        _ = _registration.Unregister();
        _registration = default;
        _cancellation = default;
        if (error is null)
        {
            SetResult(0);
        }
        else
        {
            SetException(error);
        }
    }

    protected override void OnConsumed() => Reactor.Return(this);

    private void PostCancel(CancellationToken token) => Reactor.Post(
        _ =>
        {
            // The operation may be in another use by now; with the same token that one is cancelled just as well.
            if (_cancellation == token && Reactor.Timers.Remove(this))
            {
                Finish(new OperationCanceledException(token));
            }
        },
        null);
}
