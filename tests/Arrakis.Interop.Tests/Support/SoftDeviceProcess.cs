using System.Buffers.Binary;
using System.Net.Sockets;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Net;
using Arrakis.Native.Sockets;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;
using Arrakis.Wire;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

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

    public static Task<SoftDeviceProcess> StartAsync(string folder, int functions, int core) => StartAsync(folder, "--functions", $"{functions}", "--core", $"{core}");

    /// <summary>Starts one with block functions on a file.</summary>
    public static Task<SoftDeviceProcess> StartWithBlocksAsync(string folder, string file, int blockSize, int functions, string backing) => StartAsync(
        folder, "--functions", "0", "--block-file", file, "--block-size", $"{blockSize}", "--block-functions", $"{functions}", "--block-backing", backing);

    private static async Task<SoftDeviceProcess> StartAsync(string folder, params IReadOnlyList<string> options)
    {
        string sockets = Path.Combine(folder, "device");
        var device = new SoftDeviceProcess(
            ChildProcess.Start("arrakis-softdevice", null, Programs.SoftDevice, ["--directory", sockets, .. options], ChildEnding.Signal),
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

    public string BlockFunctionPath(int function) => Path.Combine(_folder, $"blk{function}.sock");

    public async Task ConfigureBlocksAsync(int function, IReadOnlyList<BlockExtent> extents) =>
        _ = Assert.IsType<DeviceDoneReply>(await AskAsync(id => new ConfigureBlockPortRequest { Id = id, Port = function, Extents = extents }));

    /// <summary>Makes a kernel interface and gives the device its wire; the interface goes away with the device.</summary>
    public async Task AttachUplinkAsync(string name)
    {
        using TapInterface uplink = TapInterface.Create(name);
        _ = Assert.IsType<DeviceDoneReply>(await AskAsync(id => new AttachUplinkRequest { Id = id }, uplink.Descriptor));
    }

    /// <summary>What the device offers a front end.</summary>
    public async Task<VirtioFeatures> OfferedFeaturesAsync(int function)
    {
        byte[] message = new byte[VhostUserHeader.Length + sizeof(ulong)];
        new VhostUserHeader(VhostUserRequest.GetFeatures, VhostUserHeader.Version, 0).Write(message);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(FunctionPath(function)), TestContext.Current.CancellationToken);
        Assert.Equal(VhostUserHeader.Length, await socket.SendAsync(message.AsMemory(0, VhostUserHeader.Length), TestContext.Current.CancellationToken));
        await using var stream = new NetworkStream(socket);
        await stream.ReadExactlyAsync(message, TestContext.Current.CancellationToken);
        return (VirtioFeatures)BinaryPrimitives.ReadUInt64LittleEndian(message.AsSpan(VhostUserHeader.Length));
    }

    public async Task<IReadOnlyDictionary<string, PortCounters>> CountersAsync() =>
        Assert.IsType<DeviceCountersReply>(await AskAsync(id => new ReadCountersRequest { Id = id })).Ports;

    public async ValueTask DisposeAsync()
    {
        _management?.Dispose();
        await _process.DisposeAsync();
    }

    private async Task<DeviceReply> AskAsync(Func<ulong, DeviceRequest> request, params Descriptor[] descriptors)
    {
        Assert.True(_management!.TrySend(MessageCodec.Encode(request(++_id)), descriptors) > 0);
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
            catch (LinuxException)
            {
                return false; // it does not listen yet
            }
        },
        () => $"The device does not listen: {Log}");
}
