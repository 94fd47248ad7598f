namespace Arrakis;

/// <summary>Lets awaits on a reactor's thread resume there.</summary>
internal sealed class ReactorSynchronizationContext(Reactor reactor) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state) => reactor.Post(d, state);

    public override void Send(SendOrPostCallback d, object? state)
    {
        if (reactor.IsCurrent)
        {
            d(state);
            return;
        }

        using var done = new ManualResetEventSlim();
        Exception? error = null;
        reactor.Post(
            _ =>
            {
                try
                {
                    d(state);
                }
                catch (Exception e)
                {
                    error = e;
                }

                done.Set();
            },
            null);
        done.Wait();
        if (error is not null)
        {
            throw new InvalidOperationException("What was sent to the reactor failed.", error);
        }
    }

    public override SynchronizationContext CreateCopy() => this;
}
