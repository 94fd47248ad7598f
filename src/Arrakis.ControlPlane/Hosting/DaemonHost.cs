using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.Areas.Export;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Policy;
using Arrakis.Native.Events;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Puts the daemon together.</summary>
internal static class DaemonHost
{
    private static readonly TimeSpan s_stopTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Builds a host that is not started yet.</summary>
    /// <param name="options">The configuration.</param>
    /// <param name="environment">What the service manager gave.</param>
    /// <param name="adjust">Replaces parts; for tests.</param>
    internal static IHost Build(DaemonOptions options, ServiceEnvironment environment, Action<IServiceCollection>? adjust = null)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true, ApplicationName = "arrakisd" });
        builder.Logging.SetMinimumLevel(options.LogLevel);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None); // Faults of starting are told in one line.
        if (SystemdHelpers.IsSystemdService())
        {
            builder.Logging.AddSystemdConsole();
        }
        else
        {
            builder.Logging.AddSimpleConsole(static console =>
            {
                console.SingleLine = true;
                console.UseUtcTimestamp = true;
                console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            });
            _ = builder.Services.Configure<ConsoleLoggerOptions>(static console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        }

        IServiceCollection services = builder.Services;
        _ = services.AddSystemd();
        _ = services.Configure<HostOptions>(static host => host.ShutdownTimeout = s_stopTimeout);
        _ = services.AddSingleton<IValidateOptions<DaemonOptions>, DaemonOptionsValidator>();
        _ = services.AddSingleton<IOptionsFactory<DaemonOptions>>(provider => new GivenOptionsFactory(options, provider.GetServices<IValidateOptions<DaemonOptions>>()));
        _ = services.AddOptions<DaemonOptions>().ValidateOnStart();
        _ = services.AddSingleton(environment);
        _ = services.AddSingleton(TimeProvider.System);
        _ = services.AddSingleton(Random.Shared);
        _ = services.AddSingleton<ReadinessLoop>();
        _ = services.AddSingleton<ServiceNotifier>();
        _ = services.AddSingleton(provider => DescriptorStoreFactory.Create(
            provider.GetRequiredService<IOptions<DaemonOptions>>().Value,
            environment,
            provider.GetRequiredService<ServiceNotifier>(),
            provider.GetRequiredService<ReadinessLoop>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>()));
        _ = services.AddSingleton<PolicyStore>();
        _ = services.AddSingleton<HardwareParts>();
        _ = services.AddSingleton<DeviceFactory>();
        _ = services.AddSingleton<Ledger>();
        _ = services.AddSingleton<AreaDirectory>();
        _ = services.AddSingleton<AreaService>();
        _ = services.AddSingleton<AreaExportService>();
        _ = services.AddSingleton<BindingBuilder>();
        _ = services.AddSingleton<HolderBell>();
        _ = services.AddSingleton<SessionContext>();
        _ = services.AddSingleton<LinkSupervisor>();
        _ = services.AddSingleton<BindingService>();
        _ = services.AddHostedService<DmaFaultWatch>();
        _ = services.AddSingleton<BindingRecovery>();
        _ = services.AddSingleton<StartupRehearsal>();
        _ = services.AddSingleton<IPeerInspector, PeerInspector>();
        _ = services.AddSingleton<RequestHandler>();
        _ = services.AddSingleton(provider => new SessionRegistry(
            options.Limits, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<BindingService>()));
        _ = services.AddSingleton<ControlServer>();
        _ = services.AddHostedService<ReadinessService>();
        _ = services.AddHostedService<DaemonService>();
        _ = services.AddHostedService<ReloadService>();
        _ = services.AddHostedService<WatchdogService>();
        adjust?.Invoke(services);
        return builder.Build();
    }

    /// <summary>The options are read before there is a host, so that their faults have a place in the file.</summary>
    private sealed class GivenOptionsFactory(DaemonOptions options, IEnumerable<IValidateOptions<DaemonOptions>> validators) : IOptionsFactory<DaemonOptions>
    {
        /// <inheritdoc/>
        public DaemonOptions Create(string name)
        {
            List<string> faults = [];
            foreach (IValidateOptions<DaemonOptions> validator in validators)
            {
                if (validator.Validate(name, options) is { Failed: true } result)
                {
                    faults.AddRange(result.Failures);
                }
            }

            return faults.Count == 0 ? options : throw new OptionsValidationException(name, typeof(DaemonOptions), faults);
        }
    }
}
