using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Contract.Tests;

/// <summary>One message of each kind, with every member set.</summary>
internal static class Samples
{
    public const string Seed = "0000000000001";

    private static readonly MacAddress Mac = MacAddress.Parse("52:54:00:00:00:0a");
    private static readonly Ipv4Prefix Prefix = Ipv4Prefix.Parse("10.7.0.2/24");
    private static readonly RateSpecifier Rate = new(1_000_000_000, 65536);

    private static readonly FilterRule Rule = new()
    {
        Direction = FilterDirection.Receive,
        Protocol = FilterProtocol.Udp,
        LocalPort = 7,
        RemotePort = 4000,
        Remote = Ipv4Prefix.Parse("10.7.0.0/16"),
    };

    private static readonly TestPlan Plan = new() { TargetMac = Mac, Target = Prefix.Address, TargetPort = 7, Source = Ipv4Address.Parse("10.7.0.9"), MaxRequests = 5, RequestsPerSecond = 2.5, Arrivals = ArrivalSpacing.Poisson, Seed = 9 };

    private static readonly Control.TestResult Result = new() { Sent = 1, Received = 2, Lost = 3, Corrupt = 4, Delayed = 5, Unsent = 6, Seconds = 0.5, RoundTrip = new(1, 2, 3, 4, 5), Histogram = "HISTA" };

    private static readonly PortCounters Counters = new() { FramesIn = 1, BytesIn = 64, FramesOut = 2, BytesOut = 128, Drops = new Dictionary<string, long> { ["spoofed"] = 3 } };

    private static readonly BlockCounters BlockCounters = new()
    {
        Reads = 1,
        BytesRead = 512,
        Writes = 2,
        BytesWritten = 1024,
        Flushes = 3,
        Discards = 4,
        WriteZeroes = 5,
        Errors = 6,
        Refusals = new Dictionary<string, long> { ["read-only"] = 7 },
    };

    public static Grant Grant { get; } = new()
    {
        BindingId = 17,
        Generation = 3,
        Device = "soft0",
        VirtualFunction = 1,
        Mac = Mac,
        Address = Prefix,
        Gateway = Ipv4Address.Parse("10.7.0.1"),
        Mtu = 1500,
        Features = VirtioFeatures.Version1 | (VirtioFeatures)(1UL << 60),
        Memory = new(1 << 21, 1 << 21, 1UL << 32, 65536, 1 << 20, 2048),
        Queues = [new(QueueDirection.Receive, RingLayout.At(RingFormat.Split, 0, 256), 3), new(QueueDirection.Transmit, RingLayout.At(RingFormat.Split, 8192, 256), 4)],
        Rate = Rate,
    };

    public static Grant GrantOfTwoPairs { get; } = Grant with
    {
        Queues =
        [
            .. Grant.Queues,
            new(QueueDirection.Receive, RingLayout.At(RingFormat.Split, 16384, 256), 6, 5),
            new(QueueDirection.Transmit, RingLayout.At(RingFormat.Split, 24576, 256), 7, 5),
        ],
        Steering = FlowSteering.Even(2),
    };

    public static Grant GrantWithRegisters { get; } = Grant with
    {
        Queues =
        [
            new(QueueDirection.Receive, RingLayout.At(RingFormat.Igb, 0, 256), 3, 2, new(0x2818, 4), new(0x1524, 4, 1)),
            new(QueueDirection.Transmit, RingLayout.At(RingFormat.Igb, 8192, 256), 3, 2, new(3L << 40 | 0x3000, 2, 7)),
        ],
    };

    public static StorageGrant StorageGrant { get; } = new()
    {
        BindingId = 18,
        Generation = 4,
        Device = "soft0-blk",
        VirtualFunction = 2,
        Memory = new(1 << 21, 4096, 1UL << 32, 65536, 1 << 20, 4096),
        Area = "log",
        Access = AreaAccess.ReadWrite,
        BlockSize = 4096,
        BlockCount = 768,
        Extents = [new(0, 768)],
        Capabilities = StorageCapabilities.VolatileCache | StorageCapabilities.Discard,
        MaxTransferLength = 1 << 20,
        Features = VirtioFeatures.Version1 | VirtioBlockFeatures.Flush | VirtioBlockFeatures.Discard,
        Queues = [new(RingLayout.At(RingFormat.Split, 0, 64), 4096, 3), new(RingLayout.At(RingFormat.Split, 12288, 64), 16384, 5, 4)],
    };

    public static StorageGrant StorageGrantWithRegisters { get; } = StorageGrant with
    {
        Device = "nvme0",
        Extents = [new(256, 512), new(4096, 256)],
        Features = VirtioFeatures.None,
        NamespaceId = 1,
        Queues = [new(new RingLayout(RingFormat.Nvme, 64, 0, 4096, 4096), 8192, 3, 2, new(0x1008, 4), new(0x100c, 4))],
    };

    public static IReadOnlyList<ControlRequest> Requests { get; } =
    [
        new HelloRequest { Id = 1, Version = 1 },
        new BindNicRequest { Id = 2, Device = "soft0", Address = Prefix, Mac = Mac, QueueSize = 512, RingFormat = RingFormat.Packed, Features = VirtioFeatures.Version1 | VirtioFeatures.RingPacked, QueuePairs = 4, Buffers = 4096, Rate = Rate, Filter = [Rule, new()] },
        new BindNicRequest { Id = 3 },
        new ReleaseRequest { Id = 4, BindingId = 17, Generation = 3 },
        new ListBindingsRequest { Id = 5 },
        new ListDevicesRequest { Id = 6 },
        new DescribeRequest { Id = 7, BindingId = 17 },
        new RevokeRequest { Id = ulong.MaxValue, BindingId = 17, Mode = RevocationMode.Visible, DeadlineMilliseconds = 20 },
        new BindStorageRequest { Id = 10, Area = "log", Access = AreaAccess.Read, QueueSize = 64, Queues = 2, Features = VirtioFeatures.Version1 | VirtioBlockFeatures.Flush, Buffers = 32, BufferSize = 8192 },
        new CreateAreaRequest { Id = 11, Area = "log", Device = "soft0-blk", Length = 1L << 40, Owner = 1000 },
        new GrowAreaRequest { Id = 12, Area = "log", Length = 1L << 41 },
        new DeleteAreaRequest { Id = 13, Area = "log" },
        new ChangeAreaRequest { Id = 14, Area = "log", NewName = "old", Owner = 1001, SharedRead = true },
        new ListAreasRequest { Id = 15 },
        new RunTestRequest { Id = 9, Device = "soft0", Plan = Plan },
    ];

    public static IReadOnlyList<ControlReply> Replies { get; } =
    [
        new HelloReply { Id = 1, Version = 1, Daemon = "0.1.0" },
        new BindNicReply { Id = 2, Grant = Grant },
        new BindNicReply { Id = 2, Grant = GrantOfTwoPairs },
        new BindNicReply { Id = 2, Grant = GrantWithRegisters },
        new BindStorageReply { Id = 8, Grant = StorageGrant },
        new BindStorageReply { Id = 9, Grant = StorageGrantWithRegisters },
        new AreasReply { Id = 10, Areas = [new() { Name = "log", Device = "soft0-blk", Owner = 1000, SharedRead = true, Length = 1L << 40, BlockSize = 4096, Extents = 3, Bindings = [17, 18] }] },
        new DoneReply { Id = 3 },
        new BindingsReply
        {
            Id = 4,
            Bindings =
            [
                new()
                {
                    BindingId = 17,
                    Generation = 3,
                    State = BindingState.RevocationRequested,
                    Device = "soft0",
                    VirtualFunction = 1,
                    ProcessId = 99,
                    UserId = 1000,
                    Executable = "/usr/bin/é",
                    Mac = Mac,
                    Address = Prefix,
                    QueuePairs = 2,
                    MemoryLength = 1 << 21,
                    PageSize = 4096,
                    Rate = Rate,
                    LinkUp = true,
                    BoundAt = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
                },
                new()
                {
                    BindingId = 18,
                    Generation = 1,
                    State = BindingState.Active,
                    Device = "soft0-blk",
                    VirtualFunction = 0,
                    ProcessId = 99,
                    UserId = 1000,
                    Executable = "/usr/bin/kv",
                    Area = "log",
                    Access = AreaAccess.ReadWrite,
                    MemoryLength = 1 << 21,
                    PageSize = 4096,
                    LinkUp = true,
                    BoundAt = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
                },
            ],
        },
        new DevicesReply
        {
            Id = 5,
            Devices =
            [
                new()
                {
                    Name = "soft0",
                    Kind = "soft",
                    Up = true,
                    ProcessId = 5,
                    Restarts = 1,
                    Uplink = "arrakis0",
                    VirtualFunctions =
                    [
                        new() { Index = 0, BindingId = 17, Generation = 3, Counters = Counters },
                        new() { Index = 1, Generation = 0, Counters = new(), BlockCounters = BlockCounters },
                    ],
                    Ports = new Dictionary<string, PortCounters> { ["uplink"] = Counters },
                },
            ],
        },
        new TestReply { Id = 6, Result = Result },
        new ErrorReply { Id = 7, Code = ErrorCode.MacAddressTaken, Cause = "a", Remedy = "b" },
    ];

    public static IReadOnlyList<DeviceRequest> DeviceRequests { get; } =
    [
        new ConfigurePortRequest { Id = 1, Port = 2, Mac = Mac, Address = Prefix.Address, Filter = [Rule], Rate = Rate, KeepCounters = true },
        new ClearPortRequest { Id = 2, Port = 2 },
        new ConfigureBlockPortRequest { Id = 6, Port = 1, Extents = [new(0, 256), new(1024, 512)], ReadOnly = true, KeepCounters = true },
        new ClearBlockPortRequest { Id = 7, Port = 1 },
        new AttachUplinkRequest { Id = 3 },
        new ReadCountersRequest { Id = 4 },
        new ReadBlockCountersRequest { Id = 8 },
        new DeviceTestRequest { Id = 5, Plan = Plan },
    ];

    public static IReadOnlyList<DeviceReply> DeviceReplies { get; } =
    [
        new DeviceDoneReply { Id = 1 },
        new DeviceCountersReply { Id = 2, Ports = new Dictionary<string, PortCounters> { ["vf0"] = Counters } },
        new DeviceBlockCountersReply { Id = 5, Functions = [BlockCounters, new()] },
        new DeviceTestReply { Id = 3, Result = Result },
        new DeviceErrorReply { Id = 4, Code = ErrorCode.InvalidRequest, Cause = "a", Remedy = "b" },
    ];
}
