using Arrakis.Native.Events;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>
/// Raises the events of bindings. A holder shares the open file: it can fill the counter and make it blocking, and a
/// write(2) of the daemon would never return; so the kernel raises it (<see cref="EventRaiser"/>).
/// </summary>
internal sealed class HolderBell : IDisposable
{
    private readonly Lock _lock = new();
    private readonly EventRaiser _raiser = new();

    internal void Ring(Binding binding)
    {
        if (binding.Event is { Descriptor: { IsClosed: false } descriptor })
        {
            lock (_lock)
            {
                _ = _raiser.Raise(descriptor);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _raiser.Dispose();
}
