using Arrakis.Native.Events;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>
/// Raises the events of bindings, of each queue pair, as each may have a poller that sleeps. A holder shares the open file: it can fill the counter and make it blocking, and a
/// write(2) of the daemon would never return; so the kernel raises it (<see cref="EventRaiser"/>).
/// </summary>
internal sealed class HolderBell : IDisposable
{
    private readonly Lock _lock = new();
    private readonly EventRaiser _raiser = new();

    internal void Ring(Binding binding)
    {
        foreach (EventFd pairEvent in binding.Events)
        {
            if (pairEvent.Descriptor is { IsClosed: false } descriptor)
            {
                lock (_lock)
                {
                    _ = _raiser.Raise(descriptor);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _raiser.Dispose();
}
