using Arrakis.Contract;
using Arrakis.ControlPlane.Devices;
using Arrakis.Native;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Areas;

/// <summary>The areas of one block device: those of its catalogue, whose freed blocks are zeroed here, or the disks that are simply there.</summary>
internal sealed class DeviceAreas : IAsyncDisposable
{
    private const long ZeroedAtOnce = 64L << 20; // Bytes: so that the catalogue is written seldom, and a restart repeats little.
    private static readonly TimeSpan s_pauseAfterFault = TimeSpan.FromSeconds(2);

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _work = new(0);
    private readonly Task _zeroing;
    private volatile TaskCompletionSource _progress = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private DeviceAreas(IBlockDevice device, AreaCatalogue? catalogue, TimeProvider time, ILogger logger)
    {
        Device = device;
        Catalogue = catalogue;
        _time = time;
        _logger = logger;
        _zeroing = catalogue is null ? Task.CompletedTask : Task.Run(() => ZeroAsync(catalogue));
    }

    internal IBlockDevice Device { get; }

    /// <summary>Null where the areas are whole disks.</summary>
    internal AreaCatalogue? Catalogue { get; }

    /// <summary>The areas.</summary>
    internal IEnumerable<LocatedArea> Areas => Catalogue is null
        ? Device.WholeDisks.Select(Locate).OfType<LocatedArea>()
        : Catalogue.Areas.Select(Locate).OfType<LocatedArea>();

    /// <summary>Opens the areas of a device that has started.</summary>
    /// <param name="device">The device.</param>
    /// <param name="directory">Where catalogues are.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told what is wrong.</param>
    /// <exception cref="ArrakisException">The catalogue cannot be used.</exception>
    internal static DeviceAreas Open(IBlockDevice device, string directory, TimeProvider time, ILogger logger)
    {
        if (device.WholeDisks.Count > 0)
        {
            return new DeviceAreas(device, null, time, logger);
        }

        BlockGeometry geometry = device.GeometryOf(0) ?? throw DeviceErrors.Unavailable(device.Options.Name, "has not told how many blocks it has");
        try
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ArrakisException(ErrorCode.DeviceUnavailable, $"The folder {directory} of storage areas cannot be made: {e.Message}", "Name one that the daemon may write in stateDirectory.", e);
        }

        var place = new CataloguePlace(Path.Combine(directory, device.Options.Name + ".areas"));
        var catalogue = AreaCatalogue.OpenOrCreate(place, CatalogueGeometry.Of(geometry.BlockSize, geometry.BlockCount), Guid.NewGuid(), isZeroed: false);
        foreach (string fault in catalogue.Mended)
        {
            logger.LogWarning("Device {Device}: the catalogue of its storage areas was mended from its other copy: {Fault}", device.Options.Name, fault);
        }

        return new DeviceAreas(device, catalogue, time, logger);
    }

    /// <summary>Finds an area; null where there is none of that name.</summary>
    internal LocatedArea? Find(string name) => Catalogue is null
        ? Device.WholeDisks.FirstOrDefault(disk => disk.Name == name) is { } disk ? Locate(disk) : null
        : Catalogue.Find(name) is { } area ? Locate(area) : null;

    /// <summary>Whether a name is taken here, whether or not its device answers.</summary>
    internal bool Has(string name) => Catalogue is null ? Device.WholeDisks.Any(disk => disk.Name == name) : Catalogue.Find(name) is not null;

    /// <summary>Says that blocks have become free and are to be zeroed.</summary>
    internal void ZeroFreed() => _ = _work.Release();

    /// <summary>Whether the last blocks could not be zeroed.</summary>
    internal bool HasZeroingFailed { get; private set; }

    /// <summary>Completes when more blocks are zero, or their zeroing has failed. To be asked for before looking at the catalogue.</summary>
    internal Task NextProgress => _progress.Task;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _zeroing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Catalogue?.Dispose();
        _stopping.Dispose();
        _work.Dispose();
    }

    private LocatedArea? Locate(WholeDisk disk) => Device.GeometryOf(disk.Function) is { } geometry
        ? new LocatedArea(Device, geometry, disk.Name, disk.Owner, SharedRead: false, [new BlockExtent(0, geometry.BlockCount)], disk.Function)
        : null;

    private LocatedArea? Locate(Area area) => Device.GeometryOf(0) is { } geometry
        ? new LocatedArea(Device, geometry, area.Name, area.Owner, area.SharedRead, area.Extents, null)
        : null;

    private async Task ZeroAsync(AreaCatalogue catalogue)
    {
        while (true)
        {
            while (catalogue.TakeUnzeroed(ZeroedAtOnce / catalogue.Geometry.BlockSize) is { } extent)
            {
                try
                {
                    await Device.ZeroAsync([extent], _stopping.Token).ConfigureAwait(false);
                    catalogue.MarkZeroed(extent);
                    Progress(hasFailed: false);
                }
                catch (Exception e) when (e is ArrakisException or LinuxException or IOException)
                {
                    catalogue.ReturnUnzeroed(extent);
                    _logger.LogError("Device {Device}: blocks of deleted storage areas are not zeroed and stay out of use: {Fault}", Device.Options.Name, e.Message);
                    Progress(hasFailed: true);
                    await Task.Delay(s_pauseAfterFault, _time, _stopping.Token).ConfigureAwait(false);
                }
            }

            await _work.WaitAsync(_stopping.Token).ConfigureAwait(false);
        }
    }

    private void Progress(bool hasFailed)
    {
        HasZeroingFailed = hasFailed;
        TaskCompletionSource done = _progress;
        _progress = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        done.SetResult();
    }
}
