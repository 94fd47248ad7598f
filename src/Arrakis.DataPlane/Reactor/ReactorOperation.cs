namespace Arrakis;

/// <summary>An operation that a reactor completes.</summary>
internal abstract class ReactorOperation<TResult> : PolledOperation<TResult>
{
    private protected ReactorOperation(Reactor reactor)
    {
        Reactor = reactor;
        Poller = reactor;
    }

    /// <summary>Who completes it.</summary>
    public Reactor Reactor { get; }
}
