using Arrakis.Contract;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Areas;

/// <summary>The storage areas of all block devices; a name is one area's, whatever device it is on.</summary>
internal sealed class AreaDirectory(IOptions<DaemonOptions> options, TimeProvider time, ILogger<AreaDirectory> logger) : IAsyncDisposable
{
    private readonly List<DeviceAreas> _devices = [];

    /// <summary>The devices whose areas can be used.</summary>
    internal IReadOnlyList<DeviceAreas> Devices => _devices;

    /// <summary>An area that is in no catalogue: for who plays a bind through.</summary>
    internal LocatedArea? Played { get; init; }

    /// <summary>The areas whose devices have told of their blocks.</summary>
    internal IEnumerable<LocatedArea> Areas => _devices.SelectMany(static device => device.Areas).Concat(Played is null ? [] : [Played]);

    /// <summary>Opens the areas of devices that have started. A device whose areas cannot be used keeps no other from starting.</summary>
    internal void Open(IEnumerable<IDevice> devices)
    {
        foreach (IBlockDevice device in devices.OfType<IBlockDevice>())
        {
            try
            {
                var areas = DeviceAreas.Open(device, options.Value.StateDirectory, time, logger);
                _devices.Add(areas);
                logger.LogInformation("Device {Device}: {Count} storage areas.", device.Options.Name, areas.Catalogue?.Areas.Count() ?? device.WholeDisks.Count);
            }
            catch (ArrakisException e)
            {
                logger.LogError("Device {Device}: its storage areas cannot be used: {Fault} {Remedy}", device.Options.Name, e.Cause, e.Remedy);
            }
        }
    }

    /// <summary>Finds an area; null where there is none of that name, or its device has not told of its blocks yet.</summary>
    internal LocatedArea? Find(string name) =>
        Played?.Name == name ? Played : _devices.Select(device => device.Find(name)).FirstOrDefault(static area => area is not null);

    /// <summary>The device that has an area of that name.</summary>
    internal DeviceAreas? FindDevice(string name) => _devices.Find(device => device.Has(name));

    /// <summary>The areas of a device.</summary>
    /// <exception cref="ArrakisException">They cannot be used.</exception>
    internal DeviceAreas Of(IBlockDevice device) =>
        _devices.Find(areas => areas.Device == device)
        ?? throw DeviceErrors.Unavailable(device.Options.Name, "has no usable catalogue of storage areas");

    /// <summary>Waits until a device that has not told of its blocks has done so, where it has an area of that name.</summary>
    internal async Task AwaitGeometryAsync(string name, CancellationToken cancellation)
    {
        if (Find(name) is null && FindDevice(name) is { } areas)
        {
            await areas.Device.WaitUpAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (DeviceAreas areas in _devices)
        {
            await areas.DisposeAsync().ConfigureAwait(false);
        }

        _devices.Clear();
    }
}
