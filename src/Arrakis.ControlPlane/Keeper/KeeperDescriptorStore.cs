using System.Diagnostics;
using System.Text.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Processes;
using Arrakis.Native.Sockets;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Keeper;

/// <summary>
/// A keeper process and the daemon's side of it. When the keeper dies, another is started and gets everything again: for
/// this the daemon has a copy of each descriptor here too.
/// </summary>
internal sealed class KeeperDescriptorStore : IDescriptorStore
{
    private const int SigKill = 9;
    private static readonly TimeSpan s_startTimeout = TimeSpan.FromSeconds(20); // Its first answer included: it compiles its code for it.
    private static readonly TimeSpan s_replyTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_connectPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_restartPause = TimeSpan.FromMilliseconds(200);

    private readonly string _path;
    private readonly ReadinessLoop _loop;
    private readonly TimeProvider _time;
    private readonly ILogger<KeeperDescriptorStore> _logger;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<string, Descriptor> _copies = [];
    private UnixSocket? _keeper;
    private Task _watching = Task.CompletedTask;

    internal KeeperDescriptorStore(string path, ReadinessLoop loop, TimeProvider time, ILogger<KeeperDescriptorStore> logger)
    {
        _path = path;
        _loop = loop;
        _time = time;
        _logger = logger;
    }

    /// <inheritdoc/>
    public string Kind => "process";

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyDictionary<string, Descriptor>> TakeLeftAsync(CancellationToken cancellation)
    {
        Dictionary<string, Descriptor> left = [];
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            _keeper = TryConnect() ?? await StartAsync(cancellation).ConfigureAwait(false);
            await ListAsync(_keeper, left, cancellation).ConfigureAwait(false);
            _watching = Task.Run(WatchAsync, CancellationToken.None);
            return left;
        }
        finally
        {
            _ = _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask PutAsync(IReadOnlyList<NamedDescriptor> descriptors)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            foreach ((string name, Descriptor descriptor) in descriptors)
            {
                Forget(name);
                _copies[name] = descriptor.Duplicate();
            }

            await TellAsync(new KeeperRequest(KeeperOperation.Put, [.. descriptors.Select(static entry => entry.Name)]), [.. descriptors.Select(static entry => entry.Descriptor)]).ConfigureAwait(false);
        }
        finally
        {
            _ = _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask RemoveAsync(IReadOnlyList<string> names)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            foreach (string name in names)
            {
                Forget(name);
            }

            await TellAsync(new KeeperRequest(KeeperOperation.Remove, names), []).ConfigureAwait(false);
        }
        finally
        {
            _ = _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask SayGoodbyeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            await TellAsync(new KeeperRequest(KeeperOperation.Goodbye, []), []).ConfigureAwait(false);
        }
        finally
        {
            _ = _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (Descriptor copy in _copies.Values)
        {
            copy.Dispose();
        }

        _copies.Clear();
        _keeper?.Dispose();
        _keeper = null;
    }

    private async Task ListAsync(UnixSocket keeper, Dictionary<string, Descriptor> left, CancellationToken cancellation)
    {
        string after = "";
        try
        {
            while (true)
            {
                (KeeperReply reply, IReadOnlyList<Descriptor> descriptors) = await AskAsync(keeper, new KeeperRequest(KeeperOperation.List, [after]), [], s_startTimeout, cancellation).ConfigureAwait(false);
                if (reply.Names.Count == 0)
                {
                    return;
                }

                if (reply.Names.Count != descriptors.Count)
                {
                    throw new IOException($"{reply.Names.Count} descriptors were due, {descriptors.Count} came");
                }

                for (int i = 0; i < reply.Names.Count; i++)
                {
                    left[reply.Names[i]] = descriptors[i];
                    _copies[reply.Names[i]] = descriptors[i].Duplicate();
                    after = reply.Names[i];
                }
            }
        }
        catch (Exception e) when (e is LinuxException or IOException or JsonException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            // Without what it has, bindings would be lost silently; whether to give them up is the administrator's to say.
            string fault = e is OperationCanceledException ? $"no answer came within {s_startTimeout.TotalSeconds:0} s" : e.Message;
            throw new IOException($"The keeper at {_path} (process {keeper.PeerCredentials.ProcessId}) does not hand out what it keeps: {fault}. End that process to start without it.", e);
        }
    }

    /// <summary>A keeper that does not answer is replaced by the watch; what it was told is in the copies that the next one gets.</summary>
    private async Task TellAsync(KeeperRequest request, Descriptor[] descriptors)
    {
        if (_keeper is not { } keeper)
        {
            return;
        }

        try
        {
            (KeeperReply reply, _) = await AskAsync(keeper, request, descriptors, s_replyTimeout, CancellationToken.None).ConfigureAwait(false);
            if (reply.Fault is not null)
            {
                _logger.LogError("The keeper refused {Operation}: {Fault}", request.Operation, reply.Fault);
            }
        }
        catch (Exception e) when (e is LinuxException or IOException or OperationCanceledException or JsonException)
        {
            _logger.LogWarning("The keeper does not answer: {Fault}", e.Message);
            keeper.Shutdown(); // The watch sees the end of the connection.
        }
    }

    private async Task WatchAsync()
    {
        while (true)
        {
            // A duplicate: the loop takes one waiter a descriptor, and requests wait for theirs.
            if (_keeper is { } keeper)
            {
                using Descriptor watched = keeper.Descriptor.Duplicate();
                await WaitForHangUpAsync(watched).ConfigureAwait(false);
                _logger.LogWarning("The keeper has gone; another is started.");
            }

            await _turn.WaitAsync(_stopping.Token).ConfigureAwait(false);
            try
            {
                _keeper?.Dispose();
                _keeper = null;
                UnixSocket fresh = TryConnect() ?? await StartAsync(_stopping.Token).ConfigureAwait(false);
                await FillAsync(fresh).ConfigureAwait(false);
                _keeper = fresh;
                _logger.LogInformation("The new keeper has {Count} descriptors.", _copies.Count);
            }
            catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException or JsonException or InvalidOperationException || (e is OperationCanceledException && !_stopping.IsCancellationRequested))
            {
                _logger.LogError("No keeper could be started: {Fault}", e.Message);
                await Task.Delay(s_restartPause, _time, _stopping.Token).ConfigureAwait(false);
            }
            finally
            {
                _ = _turn.Release();
            }
        }
    }

    /// <summary>Gives a keeper everything. One that does not take it is ended: it would be found again at the next try.</summary>
    private async Task FillAsync(UnixSocket fresh)
    {
        try
        {
            foreach (KeyValuePair<string, Descriptor>[] part in _copies.Chunk(UnixSocket.MaxDescriptors))
            {
                _ = await AskAsync(
                    fresh, new KeeperRequest(KeeperOperation.Put, [.. part.Select(static entry => entry.Key)]), [.. part.Select(static entry => entry.Value)], s_startTimeout, _stopping.Token).ConfigureAwait(false);
            }
        }
        catch
        {
            using (fresh)
            {
                if (!_stopping.IsCancellationRequested)
                {
                    using ProcessDescriptor mute = fresh.OpenPeerProcess();
                    _ = mute.Signal(SigKill);
                }
            }

            throw;
        }
    }

    private async Task WaitForHangUpAsync(Descriptor watched)
    {
        using var probe = new UnixSocket(watched.Duplicate());
        while (true)
        {
            await _loop.WaitAsync(watched, Readiness.Read, _stopping.Token).ConfigureAwait(false);

            // Replies make it readable too; they are taken by who has the turn. Without a turn nothing but the end comes.
            await _turn.WaitAsync(_stopping.Token).ConfigureAwait(false);
            try
            {
                if (probe.TryReceive(new byte[1]) is not null)
                {
                    return;
                }
            }
            catch (LinuxException)
            {
                return;
            }
            finally
            {
                _ = _turn.Release();
            }
        }
    }

    private async Task<(KeeperReply Reply, IReadOnlyList<Descriptor> Descriptors)> AskAsync(
        UnixSocket keeper, KeeperRequest request, Descriptor[] descriptors, TimeSpan patience, CancellationToken cancellation)
    {
        using var timer = new CancellationTokenSource(patience, _time);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        byte[] packet = JsonSerializer.SerializeToUtf8Bytes(request, KeeperJson.Default.KeeperRequest);
        while (keeper.TrySend(packet, descriptors) < 0)
        {
            await _loop.WaitAsync(keeper.Descriptor, Readiness.Write, limit.Token).ConfigureAwait(false);
        }

        byte[] buffer = new byte[KeeperJson.MaxMessageLength];
        while (true)
        {
            if (keeper.TryReceive(buffer) is not { } message)
            {
                await _loop.WaitAsync(keeper.Descriptor, Readiness.Read, limit.Token).ConfigureAwait(false);
                continue;
            }

            if (message.Length == 0)
            {
                message.CloseDescriptors();
                throw new IOException("The keeper has hung up.");
            }

            KeeperReply reply = JsonSerializer.Deserialize(buffer.AsSpan(0, message.Length), KeeperJson.Default.KeeperReply) ?? throw new JsonException("The keeper's reply is null.");
            return (reply, message.Descriptors);
        }
    }

    private UnixSocket? TryConnect()
    {
        try
        {
            return UnixSocket.Connect(_path, UnixSocketKind.SequencedPacket);
        }
        catch (LinuxException)
        {
            return null;
        }
    }

    private async Task<UnixSocket> StartAsync(CancellationToken cancellation)
    {
        using Process process = KeeperProgram.Start(_path);
        _logger.LogInformation("Keeper started: process {ProcessId}.", process.Id);
        long start = _time.GetTimestamp();
        while (true)
        {
            if (TryConnect() is { } socket)
            {
                return socket;
            }

            if (process.HasExited || _time.GetElapsedTime(start) > s_startTimeout)
            {
                throw new IOException($"The keeper (process {process.Id}) does not listen on {_path}.");
            }

            await Task.Delay(s_connectPause, _time, cancellation).ConfigureAwait(false);
        }
    }

    private void Forget(string name)
    {
        if (_copies.Remove(name, out Descriptor? old))
        {
            old.Dispose();
        }
    }
}
