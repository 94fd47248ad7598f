using Arrakis.Contract.Control;
using Arrakis.SystemApp.Conversation;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Device;
using Arrakis.Wire;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.SystemTests.Support;

/// <summary>Load from the device's tester port: a closed loop, so that a slow machine makes it slow and loses nothing.</summary>
internal static class Load
{
    /// <summary>Where the application answers.</summary>
    public const ushort Port = 7;

    /// <summary>A plan that ends after so many answers. Only what the machine cannot have kept waiting counts as lost.</summary>
    public static TestPlan Plan(BoundReport bound, long requests, int inFlight = 32) => new()
    {
        TargetMac = MacAddress.Parse(bound.Mac),
        Target = Ipv4Address.Parse(bound.Address),
        TargetPort = Port,
        Source = Ipv4Address.Parse("10.97.0.200"),
        PayloadLength = 64,
        InFlight = inFlight,
        WarmupMilliseconds = 0,
        DurationMilliseconds = 180_000,
        LossTimeoutMilliseconds = 20_000,
        MaxRequests = requests,
    };

    /// <summary>Runs a plan on the device itself, so that it does not matter whether the daemon lives.</summary>
    public static Task<TestResult> RunAsync(DaemonProcess daemon, TestPlan plan) =>
        HardwareTester.RunAsync(daemon.ManagementSocket, plan, TestContext.Current.CancellationToken);

    /// <summary>Exchanges one datagram: as any host, a binding keeps only a few while it asks for its peer's hardware address.</summary>
    public static async Task GreetAsync(DaemonProcess daemon, BoundReport bound) =>
        AllAnswered(await RunAsync(daemon, Plan(bound, 1, inFlight: 1)), 1);

    /// <summary>Sends so many requests to a binding, all of which must be answered rightly.</summary>
    public static async Task EchoesAsync(DaemonProcess daemon, BoundReport bound, long requests)
    {
        await GreetAsync(daemon, bound);
        AllAnswered(await RunAsync(daemon, Plan(bound, requests)), requests);
    }

    /// <summary>Waits until the tester has sent so many more requests than it had.</summary>
    public static Task UntilSentAsync(DaemonProcess daemon, long before, long more) => daemon.UntilAsync(
        async () => await SentAsync(daemon) >= before + more, $"a tester that has sent {more} requests", TestContext.Current.CancellationToken);

    /// <summary>What the tester has sent since the device started.</summary>
    public static async Task<long> SentAsync(DaemonProcess daemon) =>
        (await HardwareTester.ReadCountersAsync(daemon.ManagementSocket, TestContext.Current.CancellationToken))["tester"].FramesIn;

    /// <summary>Nothing lost, nothing corrupt.</summary>
    public static void AllAnswered(TestResult result, long requests)
    {
        Assert.Equal((0, 0), (result.Lost, result.Corrupt));
        Assert.Equal(requests, result.Received);
        Assert.Equal(result.Sent, result.Received);
    }
}
