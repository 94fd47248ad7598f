using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Wire.Rings;

namespace Arrakis.ControlPlane.Devices.Soft;

/// <summary>The block functions of a software device: its process is the software device's affair, the file with the areas this one's.</summary>
internal sealed class SoftBlockDevice : IBlockDevice
{
    private readonly SoftDevice _soft;
    private readonly SoftBlockDeviceOptions _options;
    private BlockGeometry? _geometry;
    private BackingFile? _file;

    internal SoftBlockDevice(SoftDevice soft, SoftBlockOptions blocks)
    {
        _soft = soft;
        _options = SoftBlockDeviceOptions.Of(soft.SoftOptions, blocks);
    }

    /// <inheritdoc/>
    public DeviceOptions Options => _options;

    /// <inheritdoc/>
    public string Kind => "soft-block";

    /// <inheritdoc/>
    public int FunctionCount => _options.Blocks.Functions;

    /// <inheritdoc/>
    public bool IsUp => _soft.IsUp;

    /// <inheritdoc/>
    public int? ProcessId => _soft.ProcessId;

    /// <inheritdoc/>
    public int Restarts => _soft.Restarts;

    /// <inheritdoc/>
    public bool ShowsAreas => true;

    /// <inheritdoc/>
    public BlockGeometry? GeometryOf(int function) => _geometry;

    /// <inheritdoc/>
    public Task StartAsync(IDictionary<string, Descriptor> left, CancellationToken cancellation) => Task.Run(OpenFile, cancellation);

    /// <inheritdoc/>
    public Task WaitUpAsync(CancellationToken cancellation) => _soft.WaitUpAsync(cancellation);

    /// <inheritdoc/>
    public Task<IDeviceSession> OpenSessionAsync(SessionRequest request, SessionContext context, CancellationToken cancellation) =>
        VhostUserSession.OpenAsync(_options.Name, _soft.Connect($"blk{request.Function}.sock"), request, context, cancellation);

    /// <inheritdoc/>
    public IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        VhostUserSession.Adopt(record.Grant, parts, context);

    /// <inheritdoc/>
    public Task ConfigureAreaAsync(int function, IReadOnlyList<BlockExtent> extents, bool readOnly, bool keepCounters, CancellationToken cancellation) =>
        _soft.RequestAsync(id => new ConfigureBlockPortRequest { Id = id, Port = function, Extents = extents, ReadOnly = readOnly, KeepCounters = keepCounters }, cancellation);

    /// <inheritdoc/>
    public Task ClearAreaAsync(int function, CancellationToken cancellation) =>
        _soft.RequestAsync(id => new ClearBlockPortRequest { Id = id, Port = function }, cancellation);

    /// <inheritdoc/>
    public Task ZeroAsync(IReadOnlyList<BlockExtent> extents, CancellationToken cancellation)
    {
        BackingFile file = _file ?? throw DeviceErrors.Unavailable(_options.Name, "has not started");
        return Task.Run(() => file.Zero(extents, cancellation), cancellation);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<BlockCounters>> ReadBlockCountersAsync(CancellationToken cancellation) => _soft.ReadBlockCountersAsync(cancellation);

    /// <inheritdoc/>
    public Task StopAsync(bool keep) => Task.CompletedTask;

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _file?.Dispose();
        return default;
    }

    private void OpenFile()
    {
        SoftBlockOptions blocks = _options.Blocks;
        try
        {
            _file = BackingFile.Open(blocks.File, blocks.BlockSize);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or LinuxException)
        {
            throw new ConfigurationException($"devices '{_soft.SoftOptions.Name}': the file of its blocks cannot be used: {e.Message}", e);
        }

        // What the queues can do the device says in each session.
        _geometry = new BlockGeometry(blocks.BlockSize, _file.BlockCount, StorageCapabilities.None, BlockQueueLayout.MaxMaxTransferLength);
    }
}
