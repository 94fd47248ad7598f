using Arrakis.ControlPlane.Bindings;
using Arrakis.Native.Events;
using Microsoft.Extensions.Hosting;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Signs of life for systemd's watchdog, at half its period: only while the event loop runs and the ledger is not stuck.</summary>
internal sealed class WatchdogService(ServiceEnvironment environment, ServiceNotifier notifier, ReadinessLoop loop, Ledger ledger, TimeProvider time) : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (environment.WatchdogPeriod is not { } period)
        {
            return;
        }

        using var probe = new EventFd();
        using var timer = new PeriodicTimer(period / 2, time);
        do
        {
            probe.Signal();
            await loop.WaitAsync(probe.Descriptor, Readiness.Read, stoppingToken).ConfigureAwait(false);
            _ = probe.TryDrain();
            _ = ledger.All();
            _ = notifier.Notify("WATCHDOG=1");
        }
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }
}
