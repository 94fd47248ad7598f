using System.Collections.Concurrent;
using Arrakis.Contract;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Sockets;

namespace Arrakis.ControlPlane.Devices.VhostUser;

/// <summary>A vhost-user block back end that someone else runs: each of its sockets is a whole disk, and there is nothing to manage.</summary>
internal sealed class ExternalDisks(VhostUserBlockDeviceOptions options, SessionContext context) : IBlockDevice
{
    private readonly ConcurrentDictionary<int, BlockGeometry> _geometries = new();

    /// <inheritdoc/>
    public DeviceOptions Options => options;

    /// <inheritdoc/>
    public string Kind => "vhost-user-block";

    /// <inheritdoc/>
    public int FunctionCount => options.Disks.Count;

    /// <inheritdoc/>
    public bool IsUp => true;

    /// <inheritdoc/>
    public bool ShowsAreas => true;

    /// <inheritdoc/>
    public IReadOnlyList<WholeDisk> WholeDisks { get; } = [.. options.Disks.Select(static (disk, function) => new WholeDisk(disk.Area, function, disk.Owner))];

    /// <inheritdoc/>
    public BlockGeometry? GeometryOf(int function) => _geometries.GetValueOrDefault(function);

    /// <inheritdoc/>
    public Task StartAsync(IDictionary<string, Descriptor> left, CancellationToken cancellation) => Task.CompletedTask; // A back end serves one connection at a time, and a binding may have it.

    /// <summary>Asks the disks that have not told of their blocks yet; those that do not answer are left out.</summary>
    public Task WaitUpAsync(CancellationToken cancellation) => Task.WhenAll(Enumerable.Range(0, FunctionCount).Select(function => AskAsync(function, cancellation)));

    /// <inheritdoc/>
    public async Task<IDeviceSession> OpenSessionAsync(SessionRequest request, SessionContext context, CancellationToken cancellation)
    {
        try
        {
            return await VhostUserSession.OpenAsync(options.Name, Connect(request.Function), request, context, cancellation).ConfigureAwait(false);
        }
        catch (ArrakisException)
        {
            _ = _geometries.TryRemove(request.Function, out _); // It may have become another disk.
            throw;
        }
    }

    /// <inheritdoc/>
    public IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context)
    {
        var grant = (StorageGrant)record.Grant;
        _geometries[grant.VirtualFunction] = new BlockGeometry(grant.BlockSize, grant.BlockCount, grant.Capabilities, grant.MaxTransferLength);
        return VhostUserSession.Adopt(grant, parts, context);
    }

    /// <inheritdoc/>
    public Task ConfigureAreaAsync(int function, IReadOnlyList<BlockExtent> extents, bool readOnly, bool keepCounters, CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ClearAreaAsync(int function, CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ZeroAsync(IReadOnlyList<BlockExtent> extents, CancellationToken cancellation) =>
        throw new ArrakisException(ErrorCode.InvalidRequest, $"The disks of device '{options.Name}' are areas as they are; nothing is allocated on them.", "Name another device.");

    /// <inheritdoc/>
    public Task StopAsync(bool keep) => Task.CompletedTask;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;

    private UnixSocket Connect(int function)
    {
        string path = options.Disks[function].Socket;
        try
        {
            return UnixSocket.Connect(path, UnixSocketKind.Stream);
        }
        catch (LinuxException e)
        {
            throw DeviceErrors.Unavailable(options.Name, $"does not listen on {path} ({e.Message})", e);
        }
    }

    private async Task AskAsync(int function, CancellationToken cancellation)
    {
        if (_geometries.ContainsKey(function))
        {
            return;
        }

        try
        {
            _geometries[function] = await VhostUserSession.AskDiskAsync(options.Name, Connect(function), context, cancellation).ConfigureAwait(false);
        }
        catch (ArrakisException)
        {
            // Whoever wants this disk is told that there is none.
        }
    }
}
