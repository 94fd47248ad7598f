namespace Arrakis;

/// <summary>A pinned thread that polls a binding's rings and runs the code that waits for them.</summary>
public sealed class Reactor : IDisposable
{
    private Reactor(NicBinding nic) => Nic = nic;

    /// <summary>The reactor whose thread this is.</summary>
    public static Reactor? Current => null;

    /// <summary>The binding that it polls.</summary>
    public NicBinding Nic { get; }

    /// <summary>Starts a thread.</summary>
    /// <param name="nic">The binding to poll.</param>
    /// <param name="core">The core to stay on; null for any.</param>
    /// <param name="idle">What to do while nothing comes.</param>
    public static Reactor Start(NicBinding nic, int? core = null, IdlePolicy idle = IdlePolicy.Adaptive) => throw new NotSupportedException();

    /// <summary>Runs asynchronous code on the reactor's thread; awaits in it resume there.</summary>
    public Task RunAsync(Func<Task> work) => throw new NotSupportedException();

    /// <summary>Runs asynchronous code on the reactor's thread; awaits in it resume there.</summary>
    public Task<T> RunAsync<T>(Func<Task<T>> work) => throw new NotSupportedException();

    /// <summary>Completes after a time, on the reactor of the calling thread.</summary>
    public static ValueTask Delay(TimeSpan time, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Stops the thread.</summary>
    public void Dispose() => throw new NotSupportedException();
}
