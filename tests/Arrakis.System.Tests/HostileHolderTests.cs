using Arrakis.Contract.Control;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Tmds.Linux;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.SystemTests;

/// <summary>A holder that breaks its own memory or rings harms only its own binding.</summary>
public sealed class HostileHolderTests
{
    private const long Requests = 200_000;

    [Fact]
    public async Task A_holder_can_neither_grow_nor_seal_its_memory_and_who_truncates_it_loses_only_its_own_link()
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using AppProcess neighbour = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport good = await neighbour.ExpectAsync<BoundReport>();
        await using AppProcess hostile = AppProcess.Start(new HostileOrder(daemon.ControlSocket, Attack.Truncate, 0));
        BoundReport bad = await hostile.ExpectAsync<BoundReport>();
        DeviceDescription before = Assert.Single(await client.ListDevicesAsync(TestContext.Current.CancellationToken));
        long sent = await Load.SentAsync(daemon);
        Task<TestResult> run = Load.RunAsync(daemon, Load.Plan(good, Requests));
        await Load.UntilSentAsync(daemon, sent, Requests / 10);

        await hostile.TellAsync("go");

        foreach (string change in new[] { "grow", "seal shrink", "seal write", "grow back" })
        {
            Assert.Equal(new RefusalReport(change, LibC.EPERM), await hostile.ExpectAsync<RefusalReport>());
        }

        _ = await hostile.ExpectAsync<DoneReport>();
        await daemon.UntilAsync(
            async () => (await client.ListBindingsAsync()).Any(binding => binding.BindingId == bad.Binding && !binding.LinkUp), "a link that is down", TestContext.Current.CancellationToken);
        Load.AllAnswered(await run, Requests);
        await IsUnharmedAsync(daemon, client, before, good, bad);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Garbage_in_a_holders_rings_harms_nobody_else(int seed)
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using AppProcess neighbour = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport good = await neighbour.ExpectAsync<BoundReport>();
        await using AppProcess hostile = AppProcess.Start(new HostileOrder(daemon.ControlSocket, Attack.Garbage, seed));
        BoundReport bad = await hostile.ExpectAsync<BoundReport>();
        DeviceDescription before = Assert.Single(await client.ListDevicesAsync(TestContext.Current.CancellationToken));
        await hostile.TellAsync("go");
        _ = await hostile.ExpectAsync<DoneReport>();

        await Load.EchoesAsync(daemon, good, Requests);

        _ = await hostile.ExpectAsync<DoneReport>();
        Assert.Contains($"vf{bad.Function}: session closed: the ring is broken", daemon.Log, StringComparison.Ordinal);
        await IsUnharmedAsync(daemon, client, before, good, bad);
    }

    /// <summary>The device is the same process, the neighbour is served, and the hostile holder's function can be had again.</summary>
    private static async Task IsUnharmedAsync(DaemonProcess daemon, ArrakisClient client, DeviceDescription before, BoundReport good, BoundReport bad)
    {
        DeviceDescription after = Assert.Single(await client.ListDevicesAsync(TestContext.Current.CancellationToken));
        Assert.Equal((before.ProcessId, 0), (after.ProcessId, after.Restarts));
        await client.RevokeAsync(bad.Binding, RevocationMode.Invisible, cancellationToken: TestContext.Current.CancellationToken);
        await using AppProcess next = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport again = await next.ExpectAsync<BoundReport>();
        Assert.Equal(bad.Function, again.Function);
        await Load.EchoesAsync(daemon, again, 1_000);
        await Load.EchoesAsync(daemon, good, 1_000);
    }
}
