using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Events;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Keeper;

/// <summary>Chooses who keeps descriptors.</summary>
internal static class DescriptorStoreFactory
{
    internal static IDescriptorStore Create(DaemonOptions options, ServiceEnvironment environment, ServiceNotifier notifier, ReadinessLoop loop, TimeProvider time, ILoggerFactory loggers)
    {
        switch (options.Keeper)
        {
            case KeeperKind.None:
                return new NullDescriptorStore();
            case KeeperKind.Systemd when !notifier.IsPresent:
                throw new ConfigurationException("keeper is \"systemd\", but NOTIFY_SOCKET is not set; start the daemon as a systemd service with FileDescriptorStoreMax=, or write \"auto\" or \"process\".");
            case KeeperKind.Systemd:
            case KeeperKind.Auto when notifier.IsPresent && environment.DescriptorStoreCapacity > 0: // systemd 254 and later say so.
                return new SystemdDescriptorStore(notifier, Left(environment));
            default:
                return new KeeperDescriptorStore(Path.Combine(options.RuntimeDirectory, "keeper.sock"), loop, time, loggers.CreateLogger<KeeperDescriptorStore>());
        }
    }

    /// <summary>Of a name that is there several times, as after a removal that was lost, the last.</summary>
    private static Dictionary<string, Descriptor> Left(ServiceEnvironment environment)
    {
        Dictionary<string, Descriptor> left = [];
        foreach ((string name, Descriptor descriptor) in environment.Descriptors)
        {
            if (name.StartsWith(StoreNames.Prefix, StringComparison.Ordinal))
            {
                left.GetValueOrDefault(name)?.Dispose();
                left[name] = descriptor;
            }
        }

        return left;
    }
}
