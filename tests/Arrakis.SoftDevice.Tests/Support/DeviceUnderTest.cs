using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Arrakis.SoftDevice.Blocks;
using Arrakis.SoftDevice.Management;
using Arrakis.SoftDevice.Polling;
using Arrakis.Wire;
using Microsoft.Extensions.Logging;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>A whole device in this process, with its real sockets in a folder of its own.</summary>
internal sealed class DeviceUnderTest : IDisposable
{
    private readonly SoftwareDevice _device;
    private readonly Thread _control;
    private readonly UnixSocket _management;
    private ulong _id;

    public DeviceUnderTest(int functions = 2, int maxQueueSize = 32768, IdlePolicy idle = IdlePolicy.Adaptive, BlockOptions? blocks = null)
    {
        Folder = Directory.CreateTempSubdirectory("softdevice-test-").FullName;
        _device = new SoftwareDevice(new DeviceOptions(Folder, functions, null, idle, maxQueueSize, blocks), Log, TimeProvider.System);
        _control = new Thread(_device.Run) { IsBackground = true };
        _control.Start();
        _management = UnixSocket.Connect(ManagementPath, UnixSocketKind.SequencedPacket);
    }

    public string Folder { get; }

    public RecordedLog Log { get; } = new();

    public string ManagementPath => Path.Combine(Folder, "manage.sock");

    public static MacAddress Mac(int function) => new(0x52_54_00_00_00_10 + (ulong)function);

    public static Ipv4Address Address(int function) => new(0x0A07_0002 + (uint)function);

    public string FunctionPath(int function) => Path.Combine(Folder, $"vf{function}.sock");

    public FrontEnd Connect(int function) => new(Blocking.Connect(FunctionPath(function), UnixSocketKind.Stream));

    public DeviceReply Ask(Func<ulong, DeviceRequest> request, params Descriptor[] descriptors)
    {
        Assert.True(_management.TrySend(MessageCodec.Encode(request(++_id)), descriptors) > 0);
        DeviceReply reply = Receive(_management);
        Assert.Equal(_id, reply.Id);
        return reply;
    }

    public static DeviceReply Receive(UnixSocket socket)
    {
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        ReceivedMessage message = Blocking.Receive(socket, buffer);
        Assert.NotEqual(0, message.Length);
        return MessageCodec.DecodeDeviceReply(buffer.AsSpan(0, message.Length));
    }

    public void Configure(int function, Func<ConfigurePortRequest, ConfigurePortRequest>? change = null)
    {
        DeviceReply reply = Ask(id =>
        {
            var request = new ConfigurePortRequest { Id = id, Port = function, Mac = Mac(function), Address = Address(function) };
            return change is null ? request : change(request);
        });
        _ = Assert.IsType<DeviceDoneReply>(reply);
    }

    public PortCounters Counters(string port) =>
        Assert.IsType<DeviceCountersReply>(Ask(id => new ReadCountersRequest { Id = id })).Ports[port];

    public void Dispose()
    {
        _management.Dispose();
        _device.Stop();
        _control.Join();
        _device.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>Waits for sockets and conditions; the time limits are there to end a test that hangs.</summary>
internal static class Blocking
{
    private const int Limit = 30_000;

    public static ReceivedMessage Receive(UnixSocket socket, Span<byte> buffer)
    {
        using var epoll = new Epoll();
        epoll.Add(socket.Descriptor, 0);
        Span<int> tokens = stackalloc int[1];
        long start = Environment.TickCount64;
        while (Environment.TickCount64 - start < Limit)
        {
            if (socket.TryReceive(buffer) is { } message)
            {
                return message;
            }

            _ = epoll.Wait(tokens, 1000);
        }

        throw new TimeoutException("Nothing was received.");
    }

    /// <summary>Connects; waits while the backlog is full.</summary>
    public static UnixSocket Connect(string path, UnixSocketKind kind)
    {
        UnixSocket? socket = null;
        Until(
            () =>
            {
                try
                {
                    socket = UnixSocket.Connect(path, kind);
                    return true;
                }
                catch (LinuxException e) when (e.Errno == Tmds.Linux.LibC.EAGAIN)
                {
                    return false;
                }
            },
            $"No connection to {path}.");
        return socket!;
    }

    public static void Until(Func<bool> condition, string what)
    {
        long start = Environment.TickCount64;
        while (!condition())
        {
            if (Environment.TickCount64 - start > Limit)
            {
                throw new TimeoutException(what);
            }

            Thread.Sleep(1);
        }
    }
}

/// <summary>Keeps log lines.</summary>
internal sealed class RecordedLog : ILogger
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lines)
        {
            _lines.Add(formatter(state, exception));
        }
    }
}
