using System.Runtime.InteropServices;
using Arrakis.ControlPlane.Policy;
using Microsoft.Extensions.Hosting;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Reloads the policy on SIGHUP.</summary>
internal sealed class ReloadService(PolicyStore policy, ServiceNotifier notifier, TimeProvider time) : IHostedService, IDisposable
{
    private readonly Lock _lock = new();
    private PosixSignalRegistration? _registration;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _registration = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true; // Its default would end the process.
            Reload();
        });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _registration?.Dispose();
        _registration = null;
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Dispose() => _registration?.Dispose();

    private void Reload()
    {
        // One at a time: a file that was read first must not come into force last.
        lock (_lock)
        {
            // Type=notify-reload wants the time at which reloading began.
            _ = notifier.Notify($"RELOADING=1\nMONOTONIC_USEC={time.GetNanoseconds() / 1000}");
            _ = policy.TryReload();
            _ = notifier.Notify("READY=1");
        }
    }
}
