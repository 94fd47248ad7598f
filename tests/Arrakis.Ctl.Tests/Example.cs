using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Wire;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.Ctl.Tests;

/// <summary>A machine with one device, two virtual functions and one binding, and two storage areas of another.</summary>
internal static class Example
{
    internal static BindingDescription Binding { get; } = new()
    {
        BindingId = 7,
        Generation = 3,
        State = BindingState.Active,
        Device = "soft0",
        VirtualFunction = 1,
        ProcessId = 4242,
        UserId = 1000,
        Executable = "/usr/bin/echo-server",
        Mac = MacAddress.Parse("02:00:00:00:00:07"),
        Address = Ipv4Prefix.Parse("10.7.0.2/24"),
        MemoryLength = 6 * 1024 * 1024,
        PageSize = 2 * 1024 * 1024,
        Rate = new RateSpecifier(2_500_000_000, 65536),
        LinkUp = true,
        BoundAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
    };

    internal static DeviceDescription Device { get; } = new()
    {
        Name = "soft0",
        Kind = "soft",
        Up = true,
        ProcessId = 4100,
        Restarts = 1,
        Uplink = "arrakis0",
        VirtualFunctions =
        [
            new() { Index = 0, Generation = 0, Counters = new() },
            new()
            {
                Index = 1,
                BindingId = 7,
                Generation = 3,
                Counters = new()
                {
                    FramesIn = 10,
                    BytesIn = 640,
                    FramesOut = 12,
                    BytesOut = 768,
                    Drops = new Dictionary<string, long> { ["spoofed-source-mac"] = 2, ["rate"] = 0 },
                },
            },
        ],
        Ports = new Dictionary<string, PortCounters>
        {
            ["uplink"] = new() { FramesIn = 1, BytesIn = 42 },
            ["tester"] = new(),
        },
    };

    internal static AreaDescription Area { get; } = new()
    {
        Name = "orders.log",
        Device = "disk0",
        Owner = 1000,
        SharedRead = false,
        Length = 3L << 30,
        BlockSize = 4096,
        Extents = 2,
        Bindings = [9, 12],
    };

    internal static AreaDescription SharedArea { get; } = new()
    {
        Name = "prices",
        Device = "disk0",
        Owner = 0,
        SharedRead = true,
        Length = 1 << 20,
        BlockSize = 4096,
        Extents = 1,
        Bindings = [],
    };

    internal static TestResult Test { get; } = new()
    {
        Sent = 1_000_001,
        Received = 1_000_000,
        Lost = 1,
        Corrupt = 0,
        Seconds = 2,
        RoundTrip = new RoundTripPercentiles(1310, 2020, 3500, 15_000, 21_250),
    };

    internal static ControlReply Answer(ControlRequest request) => request switch
    {
        ListDevicesRequest => new DevicesReply { Id = 0, Devices = [Device] },
        ListBindingsRequest => new BindingsReply { Id = 0, Bindings = [Binding] },
        DescribeRequest { BindingId: 7 } => new BindingsReply { Id = 0, Bindings = [Binding] },
        RevokeRequest { BindingId: 7 } => new DoneReply { Id = 0 },
        RunTestRequest { Device: "soft0" } => new TestReply { Id = 0, Result = Test },
        ListAreasRequest => new AreasReply { Id = 0, Areas = [Area, SharedArea] },
        CreateAreaRequest or GrowAreaRequest { Area: "prices" } or ChangeAreaRequest { Area: "prices" } => new AreasReply { Id = 0, Areas = [SharedArea] },
        DeleteAreaRequest { Area: "prices" } => new DoneReply { Id = 0 },
        DeleteAreaRequest => throw new ArrakisException(ErrorCode.AreaInUse, "Storage area 'orders.log' is bound.", "Revoke its bindings."),
        _ => throw new ArrakisException(ErrorCode.UnknownBinding, "There is no such binding.", "List them with 'arrakisctl bindings'."),
    };
}
