using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Sockets;

namespace Arrakis.ControlPlane.Devices.VhostUser;

/// <summary>A vhost-user back end that someone else runs: it has sockets and nothing to manage.</summary>
internal sealed class ExternalBackend(VhostUserDeviceOptions options) : INicDevice
{

    /// <inheritdoc/>
    public NicDeviceOptions Options => options;

    /// <inheritdoc/>
    public string Kind => "vhost-user";

    /// <inheritdoc/>
    public int FunctionCount => options.Sockets.Count;

    /// <inheritdoc/>
    public bool IsUp => true;

    /// <inheritdoc/>
    public string? Uplink => null;

    /// <inheritdoc/>
    public FlowSteering? SteeringOf(int queuePairs) => null; // vhost-user has no message that would tell.

    /// <inheritdoc/>
    public Task StartAsync(IDictionary<string, Descriptor> left, CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task WaitUpAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<IDeviceSession> OpenSessionAsync(SessionRequest request, SessionContext context, CancellationToken cancellation) =>
        VhostUserSession.OpenAsync(options.Name, Connect(request.Function), request, context, cancellation);

    /// <inheritdoc/>
    public IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        VhostUserSession.Adopt(record.Grant, parts, context);

    private UnixSocket Connect(int function)
    {
        try
        {
            return UnixSocket.Connect(options.Sockets[function], UnixSocketKind.Stream);
        }
        catch (LinuxException e)
        {
            throw DeviceErrors.Unavailable(options.Name, $"does not listen on {options.Sockets[function]} ({e.Message})", e);
        }
    }

    /// <inheritdoc/>
    public Task ConfigurePortAsync(int function, PortIdentity identity, bool keepCounters, CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ClearPortAsync(int function, CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<TestResult> RunTestAsync(TestPlan plan, CancellationToken cancellation) =>
        throw DeviceErrors.WithoutTester(options.Name);

    /// <inheritdoc/>
    public Task StopAsync(bool keep) => Task.CompletedTask;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}
