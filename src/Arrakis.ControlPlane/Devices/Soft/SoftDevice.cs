using System.Diagnostics;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Hosting;
using Arrakis.ControlPlane.Keeper;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Net;
using Arrakis.Native.Processes;
using Arrakis.Native.Sockets;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Devices.Soft;

/// <summary>
/// A software device and its process: started, watched, started again when it dies. What is kept over a death of the
/// daemon is only the uplink's descriptor; the process is found again at its management socket.
/// </summary>
internal sealed class SoftDevice : INicDevice
{
    /// <summary>Part of the uplink in the descriptor store.</summary>
    internal const string UplinkPart = "uplink";

    private const int SigTerm = 15;
    private const int SigKill = 9;
    private static readonly TimeSpan s_replyTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_startTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_endTimeout = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_testSlack = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_connectPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_firstBackoff = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_longestBackoff = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_stableAfter = TimeSpan.FromSeconds(10);

    private readonly SoftDeviceOptions _options;
    private readonly string? _configuredProgram;
    private readonly string _directory;
    private readonly IDescriptorStore _store;
    private readonly ReadinessLoop _loop;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _up = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile ManagementChannel? _channel;
    private Descriptor? _uplink;
    private ProcessDescriptor? _process;
    private Task _supervision = Task.CompletedTask;

    internal SoftDevice(SoftDeviceOptions options, DaemonOptions daemon, IDescriptorStore store, ReadinessLoop loop, TimeProvider time, ILogger<SoftDevice> logger)
    {
        _options = options;
        _configuredProgram = daemon.SoftDevicePath;
        _directory = Path.Combine(daemon.RuntimeDirectory, options.Name);
        _store = store;
        _loop = loop;
        _time = time;
        _logger = logger;
    }

    /// <inheritdoc/>
    public NicDeviceOptions Options => _options;

    internal SoftDeviceOptions SoftOptions => _options;

    /// <inheritdoc/>
    public string Kind => "soft";

    /// <inheritdoc/>
    public int FunctionCount => _options.Functions;

    /// <inheritdoc/>
    public bool IsUp => _channel is not null;

    /// <inheritdoc/>
    public int? ProcessId { get; private set; }

    /// <inheritdoc/>
    public int Restarts { get; private set; }

    /// <inheritdoc/>
    public string? Uplink => _options.Uplink;

    private string ManagementPath => Path.Combine(_directory, "manage.sock");

    private string ArgumentsPath => Path.Combine(_directory, "arguments");

    /// <inheritdoc/>
    public FlowSteering? SteeringOf(int queuePairs) => FlowSteering.Even(queuePairs);

    /// <inheritdoc/>
    public async Task StartAsync(IDictionary<string, Descriptor> left, CancellationToken cancellation)
    {
        string program = SoftDeviceProgram.Find(_configuredProgram, AppContext.BaseDirectory);
        Directory.CreateDirectory(_directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await OpenUplinkAsync(left).ConfigureAwait(false);
        _supervision = Task.Run(() => SuperviseAsync(program), CancellationToken.None);
        try
        {
            await WaitUpAsync(cancellation).WaitAsync(s_startTimeout, _time, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            _logger.LogError("Device {Device} did not come up in {Seconds} s; the daemon goes on trying.", _options.Name, s_startTimeout.TotalSeconds);
        }
    }

    /// <inheritdoc/>
    public Task WaitUpAsync(CancellationToken cancellation)
    {
        lock (_lock)
        {
            return _up.Task.WaitAsync(cancellation);
        }
    }

    /// <inheritdoc/>
    public Task<IDeviceSession> OpenSessionAsync(SessionRequest request, SessionContext context, CancellationToken cancellation) =>
        VhostUserSession.OpenAsync(_options.Name, Connect($"vf{request.Function}.sock"), request, context, cancellation);

    /// <inheritdoc/>
    public IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        VhostUserSession.Adopt(record.Grant, parts, context);

    /// <summary>Connects to one of its functions.</summary>
    /// <exception cref="ArrakisException">It does not listen.</exception>
    internal UnixSocket Connect(string socket)
    {
        string path = Path.Combine(_directory, socket);
        try
        {
            return UnixSocket.Connect(path, UnixSocketKind.Stream);
        }
        catch (LinuxException e)
        {
            throw DeviceErrors.Unavailable(_options.Name, $"does not listen on {path} ({e.Message})", e);
        }
    }

    /// <inheritdoc/>
    public Task ConfigurePortAsync(int function, PortIdentity identity, bool keepCounters, CancellationToken cancellation) =>
        RequestAsync(
            id => new ConfigurePortRequest
            {
                Id = id,
                Port = function,
                Mac = identity.Mac,
                Address = identity.Address,
                Filter = identity.Filter,
                Rate = identity.Rate,
                KeepCounters = keepCounters,
            },
            cancellation);

    /// <inheritdoc/>
    public Task ClearPortAsync(int function, CancellationToken cancellation) =>
        RequestAsync(id => new ClearPortRequest { Id = id, Port = function }, cancellation);

    /// <summary>Asks the device to do something.</summary>
    /// <exception cref="ArrakisException">It refused, or did not answer in time.</exception>
    internal async Task RequestAsync(Func<ulong, DeviceRequest> make, CancellationToken cancellation) =>
        _ = await Channel().RequestAsync<DeviceDoneReply>(make, s_replyTimeout, cancellation).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, PortCounters>> ReadCountersAsync(CancellationToken cancellation) =>
        (await Channel().RequestAsync<DeviceCountersReply>(static id => new ReadCountersRequest { Id = id }, s_replyTimeout, cancellation).ConfigureAwait(false)).Ports;

    /// <summary>Counters of the block functions.</summary>
    internal async Task<IReadOnlyList<BlockCounters>> ReadBlockCountersAsync(CancellationToken cancellation) =>
        (await Channel().RequestAsync<DeviceBlockCountersReply>(static id => new ReadBlockCountersRequest { Id = id }, s_replyTimeout, cancellation).ConfigureAwait(false)).Functions;

    /// <inheritdoc/>
    public async Task<TestResult> RunTestAsync(TestPlan plan, CancellationToken cancellation)
    {
        // A connection of its own: the reply comes at the end, and the device answers a connection's requests in order.
        _ = Channel();
        await using var channel = new ManagementChannel(_options.Name, ConnectManagement(), _loop, _time);
        TimeSpan timeout = TimeSpan.FromMilliseconds((double)plan.WarmupMilliseconds + plan.DurationMilliseconds) + s_testSlack;
        return (await channel.RequestAsync<DeviceTestReply>(id => new DeviceTestRequest { Id = id, Plan = plan }, timeout, cancellation).ConfigureAwait(false)).Result;
    }

    /// <inheritdoc/>
    public async Task StopAsync(bool keep)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _supervision.ConfigureAwait(false);
        if (keep)
        {
            return;
        }

        if (_process is { } process)
        {
            await EndProcessAsync(process).ConfigureAwait(false);
        }

        if (_uplink is not null)
        {
            await _store.RemoveAsync([StoreNames.OfDevice(_options.Name, UplinkPart)]).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _supervision.ConfigureAwait(false);
        _process?.Dispose();
        _uplink?.Dispose();
        _stopping.Dispose();
    }

    private ManagementChannel Channel() => _channel ?? throw DeviceErrors.Unavailable(_options.Name, "is down");

    private UnixSocket ConnectManagement()
    {
        try
        {
            return UnixSocket.Connect(ManagementPath, UnixSocketKind.SequencedPacket);
        }
        catch (LinuxException e)
        {
            throw DeviceErrors.Unavailable(_options.Name, $"does not answer on {ManagementPath} ({e.Message})", e);
        }
    }

    private async Task OpenUplinkAsync(IDictionary<string, Descriptor> left)
    {
        if (_options.Uplink is not { } name)
        {
            return;
        }

        if (left.Remove(UplinkPart, out Descriptor? kept))
        {
            // Asked of the descriptor: the interface may have been moved to another network namespace.
            if (TapInterface.NameOf(kept) == name)
            {
                _uplink = kept;
                return;
            }

            kept.Dispose(); // Of another name, or gone with its namespace.
        }

        try
        {
            _uplink = TapInterface.Create(name).Descriptor;
        }
        catch (LinuxException e)
        {
            throw new ConfigurationException($"devices '{_options.Name}': the uplink '{name}' cannot be made: {e.Message}", e);
        }

        await _store.PutAsync([new NamedDescriptor(StoreNames.OfDevice(_options.Name, UplinkPart), _uplink)]).ConfigureAwait(false);
    }

    private async Task SuperviseAsync(string program)
    {
        TimeSpan backoff = s_firstBackoff;
        bool first = true;
        try
        {
            while (true)
            {
                long start = _time.GetTimestamp();
                try
                {
                    await RunOnceAsync(program, first, _stopping.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is ArrakisException or IOException or UnauthorizedAccessException or InvalidOperationException or System.ComponentModel.Win32Exception)
                {
                    _logger.LogError("Device {Device}: {Fault}", _options.Name, e.Message);
                }

                first = false;
                backoff = _time.GetElapsedTime(start) > s_stableAfter ? s_firstBackoff : backoff;
                await Task.Delay(backoff, _time, _stopping.Token).ConfigureAwait(false);
                backoff = backoff * 2 < s_longestBackoff ? backoff * 2 : s_longestBackoff;
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops; what becomes of the process is decided there.
        }
    }

    /// <summary>One life of the process, or of a conversation with it.</summary>
    private async Task RunOnceAsync(string program, bool first, CancellationToken cancellation)
    {
        (ManagementChannel channel, TimeSpan patience) = await FindOrStartAsync(program, first, cancellation).ConfigureAwait(false);
        await using ManagementChannel open = channel;
        await GreetAsync(channel, patience, cancellation).ConfigureAwait(false);
        using var life = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task death = _loop.WaitAsync(_process!.Descriptor, Readiness.Read, life.Token);
        SetUp(channel);
        _logger.LogInformation("Device {Device} is up: process {ProcessId}, {Functions} virtual functions.", _options.Name, ProcessId, FunctionCount);
        _ = await Task.WhenAny(channel.Ended, death).ConfigureAwait(false);
        SetDown();
        await life.CancelAsync().ConfigureAwait(false);
        await death.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellation.ThrowIfCancellationRequested();
        _logger.LogWarning("Device {Device}: process {ProcessId} {What}; it is started again.", _options.Name, ProcessId, _process.HasExited ? "has died" : "has hung up");
    }

    /// <summary>The first exchange: a process that does not answer it is ended, for the next one to take its place.</summary>
    private async Task GreetAsync(ManagementChannel channel, TimeSpan patience, CancellationToken cancellation)
    {
        try
        {
            if (_uplink is { } uplink)
            {
                _ = await channel.RequestAsync<DeviceDoneReply>(static id => new AttachUplinkRequest { Id = id }, patience, cancellation, uplink).ConfigureAwait(false);
            }
            else
            {
                _ = await channel.RequestAsync<DeviceCountersReply>(static id => new ReadCountersRequest { Id = id }, patience, cancellation).ConfigureAwait(false);
            }
        }
        catch (ArrakisException)
        {
            await EndProcessAsync(_process!).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The channel, and how long its first answer may take: a process that has just been started is still loading its code.</summary>
    private async Task<(ManagementChannel Channel, TimeSpan Patience)> FindOrStartAsync(string program, bool first, CancellationToken cancellation)
    {
        List<string> arguments = SoftDeviceProgram.Arguments(_options, _directory);
        string fingerprint = string.Join('\n', [program, .. arguments]);
        if (await TryAdoptAsync(fingerprint, first).ConfigureAwait(false) is { } adopted)
        {
            return (adopted, s_replyTimeout);
        }

        Restarts += first ? 0 : 1;
        await File.WriteAllTextAsync(ArgumentsPath, fingerprint, cancellation).ConfigureAwait(false);
        using Process child = SoftDeviceProgram.Start(program, arguments);
        _process?.Dispose();
        _process = ProcessDescriptor.Open(child.Id);
        ProcessId = child.Id;
        long start = _time.GetTimestamp();
        while (true)
        {
            try
            {
                return (new ManagementChannel(_options.Name, ConnectManagement(), _loop, _time), s_startTimeout);
            }
            catch (ArrakisException e)
            {
                if (_process.HasExited)
                {
                    throw DeviceErrors.Unavailable(_options.Name, $"ended at once (process {ProcessId})", e);
                }

                if (_time.GetElapsedTime(start) > s_startTimeout)
                {
                    await EndProcessAsync(_process).ConfigureAwait(false);
                    throw;
                }
            }

            await Task.Delay(s_connectPause, _time, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Takes over a device process that runs already: one that an earlier daemon left, or that only hung up.</summary>
    private async Task<ManagementChannel?> TryAdoptAsync(string fingerprint, bool first)
    {
        if (!first && _process is { HasExited: true })
        {
            return null;
        }

        ManagementChannel channel;
        try
        {
            channel = new ManagementChannel(_options.Name, ConnectManagement(), _loop, _time);
        }
        catch (ArrakisException)
        {
            if (_process is { HasExited: false } mute)
            {
                await EndProcessAsync(mute).ConfigureAwait(false);
            }

            return null;
        }

        ProcessDescriptor process;
        try
        {
            process = channel.Socket.OpenPeerProcess();
        }
        catch (LinuxException)
        {
            await channel.DisposeAsync().ConfigureAwait(false);
            return null; // It has ended in between.
        }

        int processId = channel.Socket.PeerCredentials.ProcessId;
        bool same = File.Exists(ArgumentsPath) && await File.ReadAllTextAsync(ArgumentsPath, _stopping.Token).ConfigureAwait(false) == fingerprint;
        if (!same)
        {
            _logger.LogWarning("Device {Device}: process {ProcessId} was started otherwise than configured now; it is started anew.", _options.Name, processId);
            await channel.DisposeAsync().ConfigureAwait(false);
            await EndProcessAsync(process).ConfigureAwait(false);
            process.Dispose();
            return null;
        }

        _process?.Dispose();
        _process = process;
        ProcessId = processId;
        _logger.LogInformation("Device {Device}: process {ProcessId} adopted.", _options.Name, processId);
        return channel;
    }

    private async Task EndProcessAsync(ProcessDescriptor process)
    {
        foreach (int signal in new[] { SigTerm, SigKill })
        {
            if (!process.Signal(signal))
            {
                return;
            }

            using var timer = new CancellationTokenSource(s_endTimeout, _time);
            try
            {
                await _loop.WaitAsync(process.Descriptor, Readiness.Read, timer.Token).ConfigureAwait(false);
                return;
            }
            catch (OperationCanceledException)
            {
                _logger.LogWarning("Device {Device} does not heed signal {Signal}.", _options.Name, signal);
            }
        }
    }

    private void SetUp(ManagementChannel channel)
    {
        lock (_lock)
        {
            _channel = channel;
            _ = _up.TrySetResult();
        }
    }

    private void SetDown()
    {
        lock (_lock)
        {
            _channel = null;
            if (_up.Task.IsCompleted)
            {
                _up = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }
}
