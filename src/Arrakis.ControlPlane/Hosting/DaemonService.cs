using Arrakis.Contract;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.Areas.Export;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Policy;
using Arrakis.Native;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Starts and stops the daemon's parts in their order: what was kept, devices, bindings, and last the control socket.</summary>
internal sealed class DaemonService(
    IOptions<DaemonOptions> options,
    ServiceEnvironment environment,
    PolicyStore policy,
    IDescriptorStore store,
    DeviceFactory factory,
    HardwareParts hardware,
    Ledger ledger,
    AreaDirectory areas,
    AreaExportService export,
    BindingService bindings,
    BindingRecovery recovery,
    StartupRehearsal rehearsal,
    ControlServer server,
    ILogger<DaemonService> logger)
    : IHostedService, IAsyncDisposable
{
    private readonly List<IDevice> _devices = [];
    private FileStream? _instance;

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        policy.Load();
        LockInstance();
        IReadOnlyDictionary<string, Descriptor> left = await store.TakeLeftAsync(cancellationToken).ConfigureAwait(false);
        logger.LogInformation("Descriptors are kept by: {Keeper}. {Count} were left by an earlier daemon.", store.Kind, left.Count);
        try
        {
            await StartPartsAsync(LeftDescriptors.Sort(left), cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            // No process stays for a daemon that does not run; what an earlier one left stays for the next.
            await StopPartsAsync(keep: left.Count > 0).ConfigureAwait(false);
            throw;
        }
    }

    private async Task StartPartsAsync(LeftDescriptors sorted, CancellationToken cancellationToken)
    {
        _devices.AddRange(options.Value.Devices.SelectMany(factory.Create));
        RecordFile record;
        if (sorted.Ledger is { } kept)
        {
            record = RecordFile.Adopt(kept);
        }
        else
        {
            record = RecordFile.Create("arrakis-ledger");
            await store.PutAsync([new NamedDescriptor(StoreNames.Ledger, record.Descriptor)]).ConfigureAwait(false);
        }

        ledger.Open(_devices, record);
        await Task.WhenAll(_devices.Select(device => device.StartAsync(sorted.OfDevice(device.Options.Name), cancellationToken))).ConfigureAwait(false);
        areas.Open(_devices);
        await recovery.RunAsync(sorted.Bindings).ConfigureAwait(false);
        await hardware.RestoreLeftAsync(_devices).ConfigureAwait(false);
        await ForgetDevicesAsync(sorted).ConfigureAwait(false);
        export.Start(); // After the bindings: what one of them may write is not written as a file.
        await rehearsal.RunAsync(cancellationToken).ConfigureAwait(false);
        server.Start(environment.Descriptors.FirstOrDefault(static entry => !entry.Name.StartsWith(StoreNames.Prefix, StringComparison.Ordinal)).Descriptor);
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await server.StopAsync().ConfigureAwait(false);
        bool keep = options.Value.OnStop == StopBehaviour.Keep && store is not NullDescriptorStore;
        if (keep)
        {
            await bindings.LetGoAsync().ConfigureAwait(false);
        }
        else
        {
            await Task.WhenAll(ledger.All().Select(binding => bindings.EndAsync(binding, BindingState.Revoked, "the daemon stops"))).ConfigureAwait(false);
        }

        await StopPartsAsync(keep).ConfigureAwait(false);
        logger.LogInformation("Stopped; bindings and devices {What}.", keep ? "go on" : "have ended");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        export.Dispose();
        await areas.DisposeAsync().ConfigureAwait(false);
        foreach (IDevice device in _devices)
        {
            await device.DisposeAsync().ConfigureAwait(false);
        }

        _devices.Clear();
        if (_instance is not null)
        {
            await _instance.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task StopPartsAsync(bool keep)
    {
        export.Dispose();
        await areas.DisposeAsync().ConfigureAwait(false);
        await Task.WhenAll(_devices.Select(device => device.StopAsync(keep))).ConfigureAwait(false);
        if (!keep)
        {
            await store.RemoveAsync([StoreNames.Ledger]).ConfigureAwait(false);
            await store.SayGoodbyeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>One daemon at a time has the devices.</summary>
    private void LockInstance()
    {
        string path = Path.Combine(options.Value.RuntimeDirectory, "arrakisd.lock");
        try
        {
            _ = Directory.CreateDirectory(options.Value.RuntimeDirectory);
            _instance = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new ConfigurationException($"Another arrakisd has {options.Value.RuntimeDirectory} ({e.Message}); stop it, or configure another runtimeDirectory.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new ConfigurationException($"{options.Value.RuntimeDirectory} cannot be written ({e.Message}); run arrakisd as root.", e);
        }
    }

    /// <summary>What was kept for devices that are not configured any more.</summary>
    private async Task ForgetDevicesAsync(LeftDescriptors left)
    {
        foreach ((string device, Dictionary<string, Descriptor> parts) in left.Devices)
        {
            foreach ((string part, Descriptor descriptor) in parts)
            {
                descriptor.Dispose();
                await store.RemoveAsync([StoreNames.OfDevice(device, part)]).ConfigureAwait(false);
            }
        }
    }
}
