using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Contract.Json;
using Arrakis.Wire;

namespace Arrakis.Fuzz.Targets;

/// <summary>JSON messages of the control socket and of the device's management socket, in both directions.</summary>
internal abstract class MessageTarget<T> : FuzzTarget
    where T : class
{
    public override void Run(ReadOnlySpan<byte> input)
    {
        T message;
        try
        {
            message = Decode(input);
        }
        catch (ArrakisException e) when (e.Code == ErrorCode.MalformedMessage)
        {
            Promise(e.Cause.Length > 0 && e.Remedy.Length > 0, "a refusal says why and what to do");
            return;
        }

        byte[] encoded = Encode(message);
        Promise(Encode(Decode(encoded)).AsSpan().SequenceEqual(encoded), "what was read is written and read as the same");
    }

    protected abstract T Decode(ReadOnlySpan<byte> packet);

    protected abstract byte[] Encode(T message);
}

/// <summary>What a client sends to the daemon.</summary>
internal sealed class ControlRequestTarget : MessageTarget<ControlRequest>
{
    public override string Name => "control-requests";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        MessageCodec.Encode(new HelloRequest { Id = 1, Version = 1 }),
        MessageCodec.Encode(new BindNicRequest { Id = 2 }),
        MessageCodec.Encode(new BindNicRequest
        {
            Id = 3,
            Device = "soft0",
            Address = Ipv4Prefix.Parse("10.7.0.2/24"),
            Mac = new MacAddress(0x5254_0000_0001),
            Rate = new(1_000_000, 10_000),
            Filter = [new() { Protocol = FilterProtocol.Udp, LocalPort = 7, Remote = Ipv4Prefix.Parse("10.7.0.0/16") }],
        }),
        MessageCodec.Encode(new ReleaseRequest { Id = 4, BindingId = 1, Generation = 1 }),
        MessageCodec.Encode(new ListBindingsRequest { Id = 5 }),
        MessageCodec.Encode(new RevokeRequest { Id = 6, BindingId = 1, Mode = RevocationMode.Visible }),
        MessageCodec.Encode(new RunTestRequest { Id = 7, Device = "soft0", Plan = new() { TargetMac = new(1), Target = new(1), TargetPort = 7, Source = new(2) } }),
    ];

    protected override ControlRequest Decode(ReadOnlySpan<byte> packet) => MessageCodec.DecodeRequest(packet);

    protected override byte[] Encode(ControlRequest message) => MessageCodec.Encode(message);
}

/// <summary>What the daemon sends to a client.</summary>
internal sealed class ControlReplyTarget : MessageTarget<ControlReply>
{
    public override string Name => "control-replies";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        MessageCodec.Encode(new HelloReply { Id = 1, Version = 1, Daemon = "1" }),
        MessageCodec.Encode(new BindNicReply { Id = 2, Grant = DriverRingTarget.Grant }),
        MessageCodec.Encode(new ErrorReply { Id = 3, Code = ErrorCode.Unauthorized, Cause = "a", Remedy = "b" }),
        MessageCodec.Encode(new BindingsReply { Id = 4, Bindings = [] }),
        MessageCodec.Encode(new DevicesReply { Id = 5, Devices = [] }),
    ];

    protected override ControlReply Decode(ReadOnlySpan<byte> packet) => MessageCodec.DecodeReply(packet);

    protected override byte[] Encode(ControlReply message) => MessageCodec.Encode(message);
}

/// <summary>What the daemon sends to a device.</summary>
internal sealed class DeviceRequestTarget : MessageTarget<DeviceRequest>
{
    public override string Name => "device-requests";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        MessageCodec.Encode(new ConfigurePortRequest { Id = 1, Port = 0, Mac = new(1), Address = new(1), Rate = new(1, 1), Filter = [new()] }),
        MessageCodec.Encode(new ClearPortRequest { Id = 2, Port = 1 }),
        MessageCodec.Encode(new AttachUplinkRequest { Id = 3 }),
        MessageCodec.Encode(new ReadCountersRequest { Id = 4 }),
        MessageCodec.Encode(new ConfigureBlockPortRequest { Id = 5, Port = 1, Extents = [new(0, 256)], ReadOnly = true, KeepCounters = true }),
        MessageCodec.Encode(new ReadBlockCountersRequest { Id = 6 }),
    ];

    protected override DeviceRequest Decode(ReadOnlySpan<byte> packet) => MessageCodec.DecodeDeviceRequest(packet);

    protected override byte[] Encode(DeviceRequest message) => MessageCodec.Encode(message);
}

/// <summary>What a device answers.</summary>
internal sealed class DeviceReplyTarget : MessageTarget<DeviceReply>
{
    public override string Name => "device-replies";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        MessageCodec.Encode(new DeviceDoneReply { Id = 1 }),
        MessageCodec.Encode(new DeviceCountersReply { Id = 2, Ports = new Dictionary<string, PortCounters> { ["vf0"] = new() } }),
        MessageCodec.Encode(new DeviceBlockCountersReply { Id = 4, Functions = [new() { Reads = 1, Refusals = new Dictionary<string, long> { ["no-area"] = 2 } }] }),
        MessageCodec.Encode(new DeviceErrorReply { Id = 3, Code = ErrorCode.Internal, Cause = "a", Remedy = "b" }),
    ];

    protected override DeviceReply Decode(ReadOnlySpan<byte> packet) => MessageCodec.DecodeDeviceReply(packet);

    protected override byte[] Encode(DeviceReply message) => MessageCodec.Encode(message);
}
