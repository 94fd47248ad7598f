using System.Collections.Concurrent;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.DataPlane.Nic;
using Arrakis.Native;
using Arrakis.Native.Events;

namespace Arrakis;

/// <summary>
/// A conversation with the control plane. Bindings run without it; it is needed to bind, release and administer. When
/// the daemon restarts, the client connects again by itself at the next request. Disposing it releases its bindings.
/// </summary>
public sealed partial class ArrakisClient : IAsyncDisposable
{
    private const int DefaultDeadlineMilliseconds = 1000;
    private const int ReleaseTries = 3;
    private static readonly TimeSpan s_reconnectTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_releaseTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_reconnectPause = TimeSpan.FromMilliseconds(100);

    private readonly string _path;
    private readonly ReadinessLoop _loop;
    private readonly SemaphoreSlim _connecting = new(1, 1);
    private readonly ConcurrentDictionary<(ulong Id, uint Generation), byte> _live = new();
    private readonly ConcurrentQueue<(ulong Id, uint Generation)> _owed = new();
    private ControlConnection? _connection;
    private int _disposed;

    private ArrakisClient(string path, ReadinessLoop loop)
    {
        _path = path;
        _loop = loop;
    }

    /// <summary>The control socket's path.</summary>
    public string SocketPath => _path;

    /// <summary>Connects to the daemon.</summary>
    /// <param name="socketPath">The control socket; null takes the one that ARRAKIS_SOCKET names, else /run/arrakis/control.sock.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ArrakisException">The daemon does not answer, refuses the connection, or speaks another version.</exception>
    public static async ValueTask<ArrakisClient> ConnectAsync(string? socketPath = null, CancellationToken cancellationToken = default)
    {
        socketPath ??= Environment.GetEnvironmentVariable(ControlProtocol.SocketPathVariable) is { Length: > 0 } named
            ? named
            : ControlProtocol.DefaultSocketPath;
        var client = new ArrakisClient(socketPath, new ReadinessLoop());
        try
        {
            client._connection = await ControlConnection.OpenAsync(socketPath, client._loop, client.TakeOrphan, cancellationToken).ConfigureAwait(false);
            return client;
        }
        catch
        {
            client._loop.Dispose();
            throw;
        }
    }

    /// <summary>Binds a virtual function: authorized once, here; from then on its rings are the process's own.</summary>
    /// <exception cref="ArrakisException">Refused or failed; <see cref="ArrakisException.Code"/> says why.</exception>
    public async ValueTask<NicBinding> BindNicAsync(NicRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return await BindAsync<BindNicReply, NicBinding>(
            id => new BindNicRequest
            {
                Id = id,
                Device = request.Device,
                Address = request.Address,
                Mac = request.Mac,
                QueueSize = request.QueueSize,
                RingFormat = request.RingFormat,
                Features = GrantValidation.Useful | (request.Offloads & GrantValidation.Understood),
                QueuePairs = request.QueuePairs,
                Buffers = request.Buffers,
                Rate = request.Rate,
                Filter = request.Filter,
            },
            (reply, descriptors) => new NicBinding(reply.Grant, descriptors, ReleaseQuietlyAsync, request.OnRevocationRequested),
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lists the bindings of this process's user, or all for an administrator.</summary>
    public async ValueTask<IReadOnlyList<BindingDescription>> ListBindingsAsync(CancellationToken cancellationToken = default) =>
        (await AskAsync<BindingsReply>(static id => new ListBindingsRequest { Id = id }, cancellationToken).ConfigureAwait(false)).Bindings;

    /// <summary>Lists the devices that the policy lets this process see, with their virtual functions and counters.</summary>
    public async ValueTask<IReadOnlyList<DeviceDescription>> ListDevicesAsync(CancellationToken cancellationToken = default) =>
        (await AskAsync<DevicesReply>(static id => new ListDevicesRequest { Id = id }, cancellationToken).ConfigureAwait(false)).Devices;

    /// <summary>Describes one binding.</summary>
    /// <exception cref="ArrakisException">There is none of that id (<see cref="ErrorCode.UnknownBinding"/>).</exception>
    public async ValueTask<BindingDescription> DescribeAsync(ulong bindingId, CancellationToken cancellationToken = default)
    {
        BindingsReply reply = await AskAsync<BindingsReply>(id => new DescribeRequest { Id = id, BindingId = bindingId }, cancellationToken).ConfigureAwait(false);
        return reply.Bindings is [var binding] ? binding : throw ControlConnection.Unexpected(reply);
    }

    /// <summary>Takes a binding back (administrators); completes when it is taken, given back or aborted.</summary>
    /// <param name="bindingId">The binding.</param>
    /// <param name="mode">With or without asking.</param>
    /// <param name="deadline">Time that the holder has (visible revocation); zero takes one second.</param>
    /// <param name="cancellationToken">Stops waiting; the revocation goes on.</param>
    public async ValueTask RevokeAsync(ulong bindingId, RevocationMode mode, TimeSpan deadline = default, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(deadline, TimeSpan.Zero);
        int milliseconds = deadline == default ? DefaultDeadlineMilliseconds : checked((int)Math.Ceiling(deadline.TotalMilliseconds));
        _ = await AskAsync<DoneReply>(
            id => new RevokeRequest { Id = id, BindingId = bindingId, Mode = mode, DeadlineMilliseconds = milliseconds },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives a binding of this process back; disposing its <see cref="NicBinding"/> does so too.</summary>
    public async ValueTask ReleaseAsync(ulong bindingId, uint generation, CancellationToken cancellationToken = default)
    {
        _ = await AskAsync<DoneReply>(id => new ReleaseRequest { Id = id, BindingId = bindingId, Generation = generation }, cancellationToken).ConfigureAwait(false);
        _ = _live.TryRemove((bindingId, generation), out _);
    }

    /// <summary>Lets the device's tester port send UDP requests and time the echoes (administrators).</summary>
    public async ValueTask<TestResult> RunTestAsync(string device, TestPlan plan, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(plan);
        return (await AskAsync<TestReply>(id => new RunTestRequest { Id = id, Device = device, Plan = plan }, cancellationToken).ConfigureAwait(false)).Result;
    }

    /// <summary>Releases what this client has bound, and closes the conversation.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _connecting.WaitAsync().ConfigureAwait(false); // A reconnection that is under way ends first.
        await ReleaseAllAsync().ConfigureAwait(false);
        if (_connection is { } connection)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
        }

        _loop.Dispose();
        _connecting.Dispose();
    }

    /// <summary>
    /// Releases one by one: the daemon releases what was bound on a connection that ends, but a restarted one has adopted
    /// the bindings and does not know whose conversation they were of.
    /// </summary>
    private async Task ReleaseAllAsync()
    {
        using var limit = new CancellationTokenSource(s_releaseTime);
        foreach ((ulong, uint) binding in _live.Keys)
        {
            _owed.Enqueue(binding);
        }

        _live.Clear();
        try
        {
            for (int tries = 0; !_owed.IsEmpty && tries < ReleaseTries; tries++)
            {
                if (await TryReopenAsync(limit.Token).ConfigureAwait(false) is not { } connection)
                {
                    return; // No daemon: it releases them at the end of this process.
                }

                for (int count = _owed.Count; count > 0 && _owed.TryDequeue(out (ulong Id, uint Generation) owed); count--)
                {
                    await TryReleaseAsync(connection, owed.Id, owed.Generation, limit.Token).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon hangs: it too releases them at the end of this process.
        }
    }

    private async Task<ControlConnection?> TryReopenAsync(CancellationToken cancellation)
    {
        if (_connection is not { IsBroken: true } broken)
        {
            return _connection;
        }

        _connection = null;
        await broken.DisposeAsync().ConfigureAwait(false);
        try
        {
            return _connection = await ReconnectAsync(cancellation).ConfigureAwait(false);
        }
        catch (ArrakisException)
        {
            return null;
        }
    }

    private async Task<T> AskAsync<T>(Func<ulong, ControlRequest> make, CancellationToken cancellation)
        where T : ControlReply
    {
        ControlConnection connection = await GetConnectionAsync(cancellation).ConfigureAwait(false);
        ControlAnswer answer = await connection.RequestAsync(make, cancellation).ConfigureAwait(false);
        answer.CloseDescriptors();
        return answer.Reply as T ?? throw ControlConnection.Unexpected(answer.Reply);
    }

    private async ValueTask<ControlConnection> GetConnectionAsync(CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);
        if (_connection is { IsBroken: false } connection)
        {
            return connection;
        }

        await _connecting.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (_connection is { IsBroken: false } made)
            {
                return made;
            }

            if (_connection is { } broken)
            {
                _connection = null;
                await broken.DisposeAsync().ConfigureAwait(false);
            }

            ControlConnection fresh = await ReconnectAsync(cancellation).ConfigureAwait(false);
            _connection = fresh;
            while (_owed.TryDequeue(out (ulong Id, uint Generation) owed))
            {
                await TryReleaseAsync(fresh, owed.Id, owed.Generation, CancellationToken.None).ConfigureAwait(false);
            }

            return fresh;
        }
        finally
        {
            _ = _connecting.Release();
        }
    }

    private async Task<ControlConnection> ReconnectAsync(CancellationToken cancellation)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return await ControlConnection.OpenAsync(_path, _loop, TakeOrphan, cancellation).ConfigureAwait(false);
            }
            catch (ArrakisException e) when (e.Code == ErrorCode.DaemonUnavailable && TimeProvider.System.GetElapsedTime(start) < s_reconnectTime)
            {
                await Task.Delay(s_reconnectPause, cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Binds something, and makes what the application gets of it. Where that cannot be made, it is given back.</summary>
    private async ValueTask<TBinding> BindAsync<TReply, TBinding>(
        Func<ulong, ControlRequest> make, Func<TReply, IReadOnlyList<Descriptor>, TBinding> take, CancellationToken cancellation)
        where TReply : ControlReply
    {
        ControlConnection connection = await GetConnectionAsync(cancellation).ConfigureAwait(false);
        ControlAnswer answer = await connection.RequestAsync(make, cancellation).ConfigureAwait(false);
        if (answer.Reply is not TReply reply || GrantOf(reply) is not { } grant)
        {
            answer.CloseDescriptors();
            throw ControlConnection.Unexpected(answer.Reply);
        }

        _live[(grant.BindingId, grant.Generation)] = 0;
        try
        {
            return take(reply, answer.Descriptors);
        }
        catch
        {
            answer.CloseDescriptors();
            await ReleaseQuietlyAsync(grant.BindingId, grant.Generation).ConfigureAwait(false);
            throw;
        }
    }

    private static BindingGrant? GrantOf(ControlReply reply) => reply switch
    {
        BindNicReply nic => nic.Grant,
        BindStorageReply storage => storage.Grant,
        _ => null,
    };

    private ValueTask ReleaseQuietlyAsync(DeviceBinding binding) => ReleaseQuietlyAsync(binding.Id, binding.Generation);

    private async ValueTask ReleaseQuietlyAsync(ulong bindingId, uint generation)
    {
        if (!_live.TryRemove((bindingId, generation), out _) || Volatile.Read(ref _disposed) != 0)
        {
            return;
        }

        if (_connection is not { IsBroken: false } connection)
        {
            try
            {
                connection = await GetConnectionAsync(default).ConfigureAwait(false);
            }
            catch (Exception e) when (e is ArrakisException or ObjectDisposedException)
            {
                _owed.Enqueue((bindingId, generation));
                return;
            }
        }

        await TryReleaseAsync(connection, bindingId, generation).ConfigureAwait(false);
    }

    private async Task TryReleaseAsync(ControlConnection connection, ulong bindingId, uint generation, CancellationToken cancellation = default)
    {
        try
        {
            _ = await connection.RequestAsync(id => new ReleaseRequest { Id = id, BindingId = bindingId, Generation = generation }, cancellation).ConfigureAwait(false);
        }
        catch (ArrakisException e)
        {
            if (e.Code == ErrorCode.DaemonUnavailable)
            {
                _owed.Enqueue((bindingId, generation)); // Given back at the next conversation, or by the end of the process.
            }
        }
        catch (ObjectDisposedException)
        {
            // The client is being disposed: the daemon releases what this connection had.
        }
    }

    private void TakeOrphan(ControlAnswer answer)
    {
        answer.CloseDescriptors();
        if (GrantOf(answer.Reply) is { } grant)
        {
            // The bind was cancelled, but the daemon had done it.
            _owed.Enqueue((grant.BindingId, grant.Generation));
            if (_connection is { IsBroken: false } connection && _owed.TryDequeue(out (ulong Id, uint Generation) owed))
            {
                _ = TryReleaseAsync(connection, owed.Id, owed.Generation);
            }
        }
    }
}
