using System.Collections.Concurrent;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;

namespace Arrakis.ControlPlane.Devices.Soft;

/// <summary>A conversation with a software device. A request that is not answered in time fails alone; a late answer is dropped.</summary>
internal sealed class ManagementChannel : IAsyncDisposable
{
    private readonly string _device;
    private readonly UnixSocket _socket;
    private readonly Descriptor _writeSide;
    private readonly ReadinessLoop _loop;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _ended = new();
    private readonly ConcurrentDictionary<ulong, TaskCompletionSource<DeviceReply>> _pending = new();
    private volatile bool _broken;
    private ulong _lastId;

    internal ManagementChannel(string device, UnixSocket socket, ReadinessLoop loop, TimeProvider time)
    {
        _device = device;
        _socket = socket;
        _writeSide = socket.Descriptor.Duplicate(); // The loop takes one waiter a descriptor; reading has the other.
        _loop = loop;
        _time = time;
        Ended = ReadAsync();
    }

    /// <summary>Completes when the device has hung up.</summary>
    internal Task Ended { get; }

    /// <summary>The connection, to ask who is at its other end.</summary>
    internal UnixSocket Socket => _socket;

    /// <summary>Sends a request and waits for its reply of the type that is due.</summary>
    /// <exception cref="ArrakisException">The device refused, or did not answer in time.</exception>
    internal async Task<T> RequestAsync<T>(Func<ulong, DeviceRequest> make, TimeSpan timeout, CancellationToken cancellation, params Descriptor[] descriptors)
        where T : DeviceReply
    {
        using var timer = new CancellationTokenSource(timeout, _time);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation, _ended.Token);
        var source = new TaskCompletionSource<DeviceReply>(TaskCreationOptions.RunContinuationsAsynchronously);
        ulong id = 0;
        try
        {
            await _sending.WaitAsync(limit.Token).ConfigureAwait(false);
            try
            {
                id = ++_lastId;
                _pending[id] = source;
                if (_broken)
                {
                    throw DeviceErrors.Unavailable(_device, "has hung up");
                }

                byte[] packet = MessageCodec.Encode(make(id));
                while (_socket.TrySend(packet, descriptors) < 0)
                {
                    await _loop.WaitAsync(_writeSide, Readiness.Write, limit.Token).ConfigureAwait(false);
                }
            }
            finally
            {
                _ = _sending.Release();
            }

            DeviceReply reply = await source.Task.WaitAsync(limit.Token).ConfigureAwait(false);
            return reply switch
            {
                T wanted => wanted,
                DeviceErrorReply error => throw new ArrakisException(error.Code, error.Cause, error.Remedy),
                _ => throw DeviceErrors.Unavailable(_device, $"answered with {reply.GetType().Name}"),
            };
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw DeviceErrors.Unavailable(_device, $"did not answer within {timeout.TotalSeconds:0.#} s", e);
        }
        catch (LinuxException e)
        {
            throw DeviceErrors.Unavailable(_device, $"has hung up ({e.Message})", e);
        }
        finally
        {
            _ = _pending.TryRemove(id, out _);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync().ConfigureAwait(false);
        await Ended.ConfigureAwait(false);
        _writeSide.Dispose();
        _socket.Dispose();
    }

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        try
        {
            while (true)
            {
                await _loop.WaitAsync(_socket.Descriptor, Readiness.Read, _ended.Token).ConfigureAwait(false);
                if (_socket.TryReceive(buffer) is not { } message)
                {
                    continue;
                }

                message.CloseDescriptors();
                if (message.Length == 0 || message.Truncated)
                {
                    break;
                }

                DeviceReply reply = MessageCodec.DecodeDeviceReply(buffer.AsSpan(0, message.Length));
                if (_pending.TryRemove(reply.Id, out TaskCompletionSource<DeviceReply>? source))
                {
                    _ = source.TrySetResult(reply);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or LinuxException or ObjectDisposedException or ArrakisException)
        {
            // A device that hangs up or talks nonsense is as good as gone: its supervisor acts on Ended.
        }

        _broken = true;
        foreach (ulong id in _pending.Keys)
        {
            if (_pending.TryRemove(id, out TaskCompletionSource<DeviceReply>? source))
            {
                _ = source.TrySetException(DeviceErrors.Unavailable(_device, "has hung up"));
            }
        }
    }
}
