using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>
/// READY=1 and STOPPING=1 where a notify socket is set but the process is not recognized as a service of systemd's, as
/// under another service manager or a test; under systemd UseSystemd does it.
/// </summary>
internal sealed class ReadinessService(ServiceNotifier notifier, IHostApplicationLifetime lifetime) : IHostedService
{
    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (notifier.IsPresent && !SystemdHelpers.IsSystemdService())
        {
            _ = lifetime.ApplicationStarted.Register(() => notifier.Notify("READY=1"));
            _ = lifetime.ApplicationStopping.Register(() => notifier.Notify("STOPPING=1"));
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
