using Arrakis.Contract;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Vfio;
using Arrakis.Wire.Rings;
using Microsoft.Extensions.Logging;
using Tmds.Linux;

namespace Arrakis.ControlPlane.Devices.Nvme;

/// <summary>
/// An NVMe controller, or virtual functions of one, as a block device. All functions reach the whole namespace, so areas on it are kept apart
/// by the library of who has them: the policy gives them to one user only.
/// </summary>
internal sealed class NvmeDevice(NvmeDeviceOptions options, NvmeSource source, TimeProvider time, ILogger<NvmeDevice> logger) : IBlockDevice
{
    private const int RegisterBar = 0;

    private readonly HardwareFunctions _functions = new();
    private readonly SemaphoreSlim _own = new(1); // Held while the daemon itself has a function, which is then free again soon.
    private NvmeDriver? _driver;
    private BlockGeometry? _geometry;

    /// <inheritdoc/>
    public DeviceOptions Options => options;

    /// <inheritdoc/>
    public string Kind => "nvme";

    /// <inheritdoc/>
    public int FunctionCount => options.FunctionCount;

    /// <inheritdoc/>
    public bool IsUp => _driver is not null;

    /// <inheritdoc/>
    public RingFormat? OwnRingFormat => RingFormat.Nvme;

    /// <inheritdoc/>
    public bool ShowsAreas => false;

    /// <inheritdoc/>
    public bool SessionsResume => false; // A controller that was reset knows nothing of its queues.

    /// <inheritdoc/>
    public BlockGeometry? GeometryOf(int function) => _geometry;

    /// <inheritdoc/>
    public bool IsAvailable(int function) => _functions.IsAvailable(function);

    /// <inheritdoc/>
    public string? BusAddressOf(int function) => _functions.BusAddressOf(function);

    /// <inheritdoc/>
    public async Task StartAsync(IDictionary<string, Descriptor> left, CancellationToken cancellation)
    {
        PreparedFunctions prepared = await source.PrepareAsync().ConfigureAwait(false);
        _functions.Take(prepared, options.Quarantine, time, logger);
        _driver = (NvmeDriver)prepared.Driver;
        foreach (HardwareFunction function in _functions.All)
        {
            FunctionPlace place = function.Place;
            if (await TryDescribeAsync(place, cancellation).ConfigureAwait(false) is { } geometry)
            {
                _geometry = geometry;
                function.ReleaseUnseen(); // Nobody else has it: it can zero blocks from now on.
                logger.LogInformation(
                    "Device {Device}: {Count} NVMe controllers from {First} on, through VFIO's {Interface} interface; namespace {Namespace} has {Blocks} blocks of {Size} bytes.",
                    options.Name, _functions.All.Count, prepared.Places[0].Address, place.Interface, options.Namespace, geometry.BlockCount, geometry.BlockSize);
                return;
            }
        }
    }

    /// <inheritdoc/>
    public Task WaitUpAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task<IDeviceSession> OpenSessionAsync(SessionRequest request, SessionContext context, CancellationToken cancellation)
    {
        NvmeDriver driver = _driver ?? throw DeviceErrors.Unavailable(options.Name, "has not started");
        if (!request.IsFirst)
        {
            throw DeviceErrors.Unavailable(options.Name, "was reset and cannot go on in queues that others have begun");
        }

        HardwareFunction function = _functions[request.Function];
        await _own.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return await VfioSession.OpenAsync(function, driver, request, context, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FunctionFaultException or LinuxException)
        {
            throw DeviceErrors.Unavailable(options.Name, $"does not set up function {request.Function} ({function.Place.Address}): {e.Message}", e);
        }
        finally
        {
            _ = _own.Release();
        }
    }

    /// <inheritdoc/>
    public IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        _functions.AdoptSession(record, parts, context);

    /// <inheritdoc/>
    public Task ConfigureAreaAsync(int function, IReadOnlyList<BlockExtent> extents, bool readOnly, bool keepCounters, CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ClearAreaAsync(int function, CancellationToken cancellation)
    {
        // Whoever had it before this daemon may have left anything in it, and may hold it still.
        _functions[function].ReleaseUnseen();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task ZeroAsync(IReadOnlyList<BlockExtent> extents, CancellationToken cancellation)
    {
        BlockGeometry geometry = _geometry ?? throw DeviceErrors.Unavailable(options.Name, "has not told how many blocks it has");
        await _own.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            HardwareFunction function = _functions.All.FirstOrDefault(static one => one.State is FunctionState.Free or FunctionState.Settling)
                ?? throw DeviceErrors.Unavailable(options.Name, "has no function free to zero blocks by");
            (DmaDomain domain, VfioDevice device) = await function.OpenAsync(cancellation).ConfigureAwait(false);
            try
            {
                using (domain)
                using (device)
                {
                    await WithControllerAsync(
                        domain, device, controller => NvmeZeroing.RunAsync(controller, geometry, extents, cancellation), cancellation).ConfigureAwait(false);
                }
            }
            finally
            {
                function.Release(null);
            }
        }
        catch (Exception e) when (e is FunctionFaultException or LinuxException)
        {
            throw DeviceErrors.Unavailable(options.Name, $"does not zero blocks: {e.Message}", e);
        }
        finally
        {
            _ = _own.Release();
        }
    }

    /// <inheritdoc/>
    public async Task StopAsync(bool keep)
    {
        await _functions.DisposeAsync().ConfigureAwait(false);
        if (!keep)
        {
            await source.RestoreAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _own.Dispose();
        return default;
    }

    // Null where a holder of an earlier daemon's has the function.
    private async Task<BlockGeometry?> TryDescribeAsync(FunctionPlace place, CancellationToken cancellation)
    {
        try
        {
            (DmaDomain domain, VfioDevice device) = place.Open();
            using (domain)
            using (device)
            {
                device.Reset();
                BlockGeometry? geometry = null;
                await WithControllerAsync(
                    domain, device, async controller => geometry = await controller.DescribeAsync(options.Namespace, cancellation).ConfigureAwait(false), cancellation).ConfigureAwait(false);
                return geometry;
            }
        }
        catch (LinuxException e) when (e.Errno == LibC.EBUSY || e.Errno == LibC.EINVAL || e.Errno == LibC.EPERM)
        {
            return null;
        }
        catch (Exception e) when (e is FunctionFaultException or LinuxException)
        {
            throw DeviceErrors.Unavailable(options.Name, $"does not say what it has ({place.Address}): {e.Message}", e);
        }
    }

    // The controller is disabled before its memory goes.
    private async Task WithControllerAsync(DmaDomain domain, VfioDevice device, Func<NvmeController, Task> use, CancellationToken cancellation)
    {
        using var memory = new NvmeMemory();
        memory.MapInto(domain);
        device.Enable();
        NvmeController controller = await NvmeController.EnableAsync(new BarRegisters(device, RegisterBar), memory, time, cancellation).ConfigureAwait(false);
        try
        {
            await use(controller).ConfigureAwait(false);
        }
        finally
        {
            await controller.DisableAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }
}
