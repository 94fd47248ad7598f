using Arrakis.Contract.Control;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.SystemTests;

/// <summary>A virtual function neither speaks in another's name nor hears what is for another.</summary>
public sealed class IsolationTests
{
    private const long Rounds = 1_000;

    [Fact]
    public async Task Frames_in_anothers_name_reach_nobody_and_are_counted_by_what_is_wrong_with_them()
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using AppProcess neighbour = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport victim = await neighbour.ExpectAsync<BoundReport>();
        await using AppProcess spoof = AppProcess.Start(new SpoofOrder(daemon.ControlSocket, Load.Port, victim.Mac, victim.Address));
        BoundReport liar = await spoof.ExpectAsync<BoundReport>();
        await Load.EchoesAsync(daemon, victim, 100);
        (StateReport stateBefore, VirtualFunctionDescription before) = await SeenByAsync(client, neighbour, victim);

        // Each request has it send a round of frames, and no reply.
        TestPlan plan = Load.Plan(liar, 0, inFlight: 8) with { DurationMilliseconds = 60_000, LossTimeoutMilliseconds = 5 };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        Task<TestResult> run = TestBed.Device.HardwareTester.RunAsync(daemon.ManagementSocket, plan, stop.Token);
        for (long rounds = 0; rounds < Rounds;)
        {
            rounds += (await spoof.ExpectAsync<DoneReport>()).Count;
        }

        await stop.CancelAsync();
        _ = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        await daemon.UntilAsync(
            async () => await DropsAsync(client, liar.Function, "source-mac-foreign") >= 3 * Rounds && await DropsAsync(client, liar.Function, "source-address-foreign") >= 2 * Rounds,
            "as many dropped frames as were sent",
            TestContext.Current.CancellationToken);
        (StateReport stateAfter, VirtualFunctionDescription after) = await SeenByAsync(client, neighbour, victim);
        Assert.Equal((stateBefore.FramesReceived, stateBefore.DatagramsDelivered), (stateAfter.FramesReceived, stateAfter.DatagramsDelivered));
        Assert.Equal(before.Counters.FramesOut, after.Counters.FramesOut);
        await Load.EchoesAsync(daemon, victim, 1_000);
    }

    [Fact]
    public async Task A_function_does_not_receive_what_is_for_its_neighbour()
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using AppProcess first = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport spoken = await first.ExpectAsync<BoundReport>();
        await using AppProcess second = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport listener = await second.ExpectAsync<BoundReport>();
        await Load.EchoesAsync(daemon, spoken, 100);
        (StateReport stateBefore, VirtualFunctionDescription before) = await SeenByAsync(client, second, listener);

        await Load.EchoesAsync(daemon, spoken, 50_000);

        (StateReport stateAfter, VirtualFunctionDescription after) = await SeenByAsync(client, second, listener);
        Assert.Equal((stateBefore.FramesReceived, 0), (stateAfter.FramesReceived, stateAfter.ForeignFrames));
        Assert.Equal(before.Counters.FramesOut, after.Counters.FramesOut);
    }

    private static async Task<(StateReport State, VirtualFunctionDescription Function)> SeenByAsync(ArrakisClient client, AppProcess app, BoundReport bound)
    {
        DeviceDescription device = (await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0];
        return (await app.AskAsync<StateReport>("state"), device.VirtualFunctions[bound.Function]);
    }

    private static async Task<long> DropsAsync(ArrakisClient client, int function, string reason)
    {
        DeviceDescription device = (await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0];
        return device.VirtualFunctions[function].Counters.Drops.GetValueOrDefault(reason);
    }
}
