using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.ControlSocket;

/// <summary>Takes connections on the control socket and serves each on its own.</summary>
internal sealed class ControlServer(
    IOptions<DaemonOptions> options, SessionRegistry registry, RequestHandler handler, IPeerInspector inspector, ReadinessLoop loop, TimeProvider time, ILogger<ControlServer> logger)
    : IAsyncDisposable
{
    private const int Backlog = 4096;
    private static readonly TimeSpan s_sweepPeriod = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_pauseWithoutDescriptors = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _stopping = new();
    private readonly HashSet<Task> _sessions = [];
    private readonly Lock _lock = new();
    private UnixSocket? _listener;
    private bool _ownsPath;
    private Task _accepting = Task.CompletedTask;
    private Task _sweeping = Task.CompletedTask;

    /// <summary>Listens, on systemd's socket where there is one.</summary>
    internal void Start(Descriptor? activated)
    {
        SocketOptions socket = options.Value.Socket;
        if (activated is not null)
        {
            _listener = new UnixSocket(activated);
            logger.LogInformation("Listening on the socket that systemd opened.");
        }
        else
        {
            _ = DaemonOptionsValidator.TryParseMode(socket.Mode, out UnixFileMode mode);
            if (socket.Path[0] != '@')
            {
                _ = Directory.CreateDirectory(Path.GetDirectoryName(socket.Path)!);
            }

            _listener = UnixSocket.Listen(socket.Path, UnixSocketKind.SequencedPacket, Backlog, mode);
            _ownsPath = socket.Path[0] != '@';
            logger.LogInformation("Listening on {Path}.", socket.Path);
        }

        _accepting = Task.Run(AcceptAsync);
        _sweeping = Task.Run(SweepAsync);
    }

    /// <summary>Closes the socket and all connections; bindings are not touched.</summary>
    internal async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_accepting, _sweeping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task[] sessions;
        lock (_lock)
        {
            sessions = [.. _sessions];
        }

        await Task.WhenAll(sessions).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _listener?.Dispose();
        if (_ownsPath)
        {
            File.Delete(options.Value.Socket.Path);
            _ownsPath = false;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        var services = new SessionServices(inspector, handler, registry, loop, time, logger, options.Value.Limits.RequestsInFlight);
        while (true)
        {
            try
            {
                if (_listener!.TryAccept() is { } socket)
                {
                    Serve(socket, services);
                }
                else
                {
                    await loop.WaitAsync(_listener.Descriptor, Readiness.Read, _stopping.Token).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // Whatever is wrong with one connection, the next is taken.
                logger.LogError("No connection can be taken: {Fault}", e.Message);
                await Task.Delay(s_pauseWithoutDescriptors, time, _stopping.Token).ConfigureAwait(false);
            }
        }
    }

    private void Serve(UnixSocket socket, SessionServices services)
    {
        PeerIdentity? peer = null;
        ControlSession session;
        try
        {
            peer = inspector.TryInspect(socket);
            if (peer is null)
            {
                socket.Dispose();
                return;
            }

            session = new ControlSession(socket, peer, services, _stopping.Token);
        }
        catch (LinuxException)
        {
            peer?.Dispose();
            socket.Dispose();
            throw;
        }

        registry.Enter(session);
        Task serving = Task.Run(() => ServeAsync(session));
        lock (_lock)
        {
            _ = _sessions.Add(serving);
        }

        _ = serving.ContinueWith(Forget, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task ServeAsync(ControlSession session)
    {
        using (session)
        {
            await session.RunAsync().ConfigureAwait(false);
            await registry.LeaveAsync(session, _stopping.IsCancellationRequested).ConfigureAwait(false);
            await session.DrainAsync().ConfigureAwait(false);
        }
    }

    private void Forget(Task session)
    {
        lock (_lock)
        {
            _ = _sessions.Remove(session);
        }
    }

    private async Task SweepAsync()
    {
        using var timer = new PeriodicTimer(s_sweepPeriod, time);
        while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
        {
            registry.CloseSilent();
        }
    }
}
