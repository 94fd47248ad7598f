using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Contract.Json;
using Arrakis.Native.Sockets;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;
using Arrakis.Wire;

namespace Arrakis.Interop.Tests.Support;

/// <summary>The software device as a program of its own; the test plays the daemon.</summary>
internal sealed class SoftDeviceProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly string _folder;
    private UnixSocket? _management;
    private ulong _id;

    private SoftDeviceProcess(ChildProcess process, string folder)
    {
        _process = process;
        _folder = folder;
    }

    /// <summary>What it has logged.</summary>
    public string Log => _process.Errors;

    public static async Task<SoftDeviceProcess> StartAsync(string folder, int functions, int core)
    {
        string sockets = Path.Combine(folder, "device");
        var device = new SoftDeviceProcess(
            ChildProcess.Start("arrakis-softdevice", null, Programs.SoftDevice, ["--directory", sockets, "--functions", $"{functions}", "--core", $"{core}"], ChildEnding.Signal),
            sockets);
        try
        {
            await device.ConnectAsync();
            return device;
        }
        catch
        {
            await device.DisposeAsync();
            throw;
        }
    }

    public string FunctionPath(int function) => Path.Combine(_folder, $"vf{function}.sock");

    public async Task ConfigureAsync(int function, MacAddress mac, Ipv4Address address) =>
        _ = Assert.IsType<DeviceDoneReply>(await AskAsync(id => new ConfigurePortRequest { Id = id, Port = function, Mac = mac, Address = address }));

    public async Task<IReadOnlyDictionary<string, PortCounters>> CountersAsync() =>
        Assert.IsType<DeviceCountersReply>(await AskAsync(id => new ReadCountersRequest { Id = id })).Ports;

    public async ValueTask DisposeAsync()
    {
        _management?.Dispose();
        await _process.DisposeAsync();
    }

    private async Task<DeviceReply> AskAsync(Func<ulong, DeviceRequest> request)
    {
        Assert.True(_management!.TrySend(MessageCodec.Encode(request(++_id))) > 0);
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        ReceivedMessage? reply = null;
        await Waiting.UntilAsync(() => (reply = _management.TryReceive(buffer)) is not null, () => $"The device does not answer: {Log}");
        return MessageCodec.DecodeDeviceReply(buffer.AsSpan(0, reply!.Value.Length));
    }

    private Task ConnectAsync() => Waiting.UntilAsync(
        () =>
        {
            _process.ThrowIfExited();
            try
            {
                _management = UnixSocket.Connect(Path.Combine(_folder, "manage.sock"), UnixSocketKind.SequencedPacket);
                return true;
            }
            catch (Native.LinuxException)
            {
                return false; // it does not listen yet
            }
        },
        () => $"The device does not listen: {Log}");
}
