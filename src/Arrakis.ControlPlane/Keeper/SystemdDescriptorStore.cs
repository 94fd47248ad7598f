using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;

namespace Arrakis.ControlPlane.Keeper;

/// <summary>systemd's file descriptor store (systemd.service(5), FileDescriptorStoreMax=): what it has comes back among the descriptors of the next start.</summary>
internal sealed class SystemdDescriptorStore(ServiceNotifier notifier, IReadOnlyDictionary<string, Descriptor> left) : IDescriptorStore
{
    /// <inheritdoc/>
    public string Kind => "systemd";

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<string, Descriptor>> TakeLeftAsync(CancellationToken cancellation) => new(left);

    /// <inheritdoc/>
    public ValueTask PutAsync(IReadOnlyList<NamedDescriptor> descriptors)
    {
        foreach ((string name, Descriptor descriptor) in descriptors)
        {
            // A name may have several descriptors there; here it has one. FDPOLL=0: a connection whose peer has gone stays until it is removed.
            _ = notifier.Notify($"FDSTOREREMOVE=1\nFDNAME={name}");
            _ = notifier.Notify($"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", descriptor);
        }

        return default;
    }

    /// <inheritdoc/>
    public ValueTask RemoveAsync(IReadOnlyList<string> names)
    {
        foreach (string name in names)
        {
            _ = notifier.Notify($"FDSTOREREMOVE=1\nFDNAME={name}");
        }

        return default;
    }

    /// <inheritdoc/>
    public ValueTask SayGoodbyeAsync() => default;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}
