using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Wire.Rings;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>A NIC of PCI functions that VFIO gives us: virtual functions of an SR-IOV NIC, or whole functions that are named one by one.</summary>
internal sealed class VfioNic : INicDevice
{
    private readonly HardwareDeviceOptions _options;
    private readonly IFunctionSource _source;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly HardwareFunctions _functions = new();
    private IFunctionDriver? _driver;

    internal VfioNic(HardwareDeviceOptions options, IFunctionSource source, TimeProvider time, ILogger<VfioNic> logger)
    {
        _options = options;
        _source = source;
        _time = time;
        _logger = logger;
    }

    /// <inheritdoc/>
    public NicDeviceOptions Options => _options;

    /// <inheritdoc/>
    public string Kind => _source.Kind;

    /// <inheritdoc/>
    public int FunctionCount => _options.FunctionCount;

    /// <inheritdoc/>
    public bool IsUp => _driver is not null;

    /// <inheritdoc/>
    public string? Uplink => _source.Uplink;

    /// <inheritdoc/>
    public string? BusAddressOf(int function) => _functions.BusAddressOf(function);

    /// <inheritdoc/>
    public bool SessionsResume => false; // A function that was reset knows nothing of its rings.

    /// <inheritdoc/>
    public RingFormat? OwnRingFormat => _driver?.RingFormat;

    /// <inheritdoc/>
    public FlowSteering? SteeringOf(int queuePairs) => null; // There is one pair.

    /// <inheritdoc/>
    public bool IsAvailable(int function) => _functions.IsAvailable(function);

    /// <inheritdoc/>
    public async Task StartAsync(IDictionary<string, Descriptor> left, CancellationToken cancellation)
    {
        PreparedFunctions prepared = await _source.PrepareAsync(cancellation).ConfigureAwait(false);
        if (prepared.Driver.RingFormat == RingFormat.Nvme)
        {
            await _source.RestoreAsync().ConfigureAwait(false);
            throw new ArrakisException(ErrorCode.InvalidRequest, $"Device '{_options.Name}' is an NVMe controller and no NIC.", "Make it a device of kind nvme.");
        }

        _driver = prepared.Driver;
        _functions.Take(prepared, _options.Quarantine, _time, _logger);
        _logger.LogInformation(
            "Device {Device}: {Count} functions ({Model}) from {First} on, through VFIO's {Interface} interface.",
            _options.Name, _functions.All.Count, _driver.Model, prepared.Places[0].Address, prepared.Places[0].Interface);
    }

    /// <inheritdoc/>
    public Task WaitUpAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task<IDeviceSession> OpenSessionAsync(SessionRequest request, SessionContext context, CancellationToken cancellation)
    {
        IFunctionDriver driver = _driver ?? throw DeviceErrors.Unavailable(_options.Name, "has not started");
        CheckRequest(request);
        HardwareFunction function = _functions[request.Function];
        try
        {
            return await VfioSession.OpenAsync(function, driver, request, context, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FunctionFaultException or LinuxException)
        {
            throw DeviceErrors.Unavailable(_options.Name, $"does not set up virtual function {request.Function} ({function.Place.Address}): {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        _functions.AdoptSession(record, parts, context);

    /// <inheritdoc/>
    public Task ConfigurePortAsync(int function, PortIdentity identity, bool keepCounters, CancellationToken cancellation)
    {
        if (identity.Filter.Count > 0)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"Device '{_options.Name}' filters by hardware address and VLAN, not by rules.", "Leave the filter out, or ask for a device of kind soft.");
        }

        return _source.ConfigureAsync(function, identity, cancellation);
    }

    /// <inheritdoc/>
    public Task ClearPortAsync(int function, CancellationToken cancellation)
    {
        // Whoever had it before this daemon may have left anything in it, and may hold it still.
        _functions[function].ReleaseUnseen();
        return Task.CompletedTask; // What is enforced stays: the next holder's settings replace all of it.
    }

    /// <inheritdoc/>
    public Task<TestResult> RunTestAsync(TestPlan plan, CancellationToken cancellation) => throw DeviceErrors.WithoutTester(_options.Name);

    /// <inheritdoc/>
    public async Task StopAsync(bool keep)
    {
        await _functions.DisposeAsync().ConfigureAwait(false);
        if (!keep)
        {
            await _source.RestoreAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;

    private void CheckRequest(SessionRequest request)
    {
        if (!request.IsFirst)
        {
            throw DeviceErrors.Unavailable(_options.Name, "was reset and cannot go on in rings that others have begun");
        }

        if (request.Nic.QueuePairs > 1)
        {
            throw DeviceErrors.TooFewQueuePairs(_options.Name, 1, request.Nic.QueuePairs);
        }
    }
}
