using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;
using Arrakis.Wire;

namespace Arrakis.SystemTests;

/// <summary>One binding of several queue pairs at the real software device, a poller for each: function, not speed.</summary>
public sealed class QueuePairTests
{
    private const int FlowCount = 48;
    private const int Datagrams = 50;

    [Theory]
    [InlineData(ServerApi.Native, 2)]
    [InlineData(ServerApi.Native, 4)]
    [InlineData(ServerApi.Socket, 3)]
    [InlineData(ServerApi.Socket, 4)]
    public async Task Each_flow_comes_to_the_queue_that_its_hash_says_and_is_answered_in_order(ServerApi api, int pairs)
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using AppProcess app = AppProcess.Start(new QueueEchoOrder(daemon.ControlSocket, api, pairs, Load.Port));
        BoundReport bound = await app.ExpectAsync<BoundReport>();
        await using Flows flows = await Flows.OpenAsync(daemon.ControlSocket, FlowCount);

        await flows.EchoAsync(EchoOf(bound), Datagrams);

        QueuesReport queues = await app.AskAsync<QueuesReport>("state");
        Assert.Equal(Expected(flows, bound, pairs, Datagrams), queues.Datagrams);
        Assert.Equal((0, FlowCount * Datagrams), (queues.Misplaced, queues.Delivered));
        Assert.Equal(bound.Binding, (await app.AskAsync<GivenBackReport>("release")).Binding);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain(await client.ListBindingsAsync(TestContext.Current.CancellationToken), binding => binding.BindingId == bound.Binding);
    }

    [Theory]
    [InlineData(ServerApi.Native)]
    [InlineData(ServerApi.Socket)]
    public async Task Four_pairs_outlive_the_daemon_and_the_device_and_are_revoked_together(ServerApi api)
    {
        const int Pairs = 4;
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using AppProcess app = AppProcess.Start(new QueueEchoOrder(daemon.ControlSocket, api, Pairs, Load.Port));
        BoundReport bound = await app.ExpectAsync<BoundReport>();
        await using Flows flows = await Flows.OpenAsync(daemon.ControlSocket, FlowCount);
        await flows.EchoAsync(EchoOf(bound), Datagrams);

        await daemon.KillAsync();
        await flows.EchoAsync(EchoOf(bound), Datagrams);
        await daemon.StartAgainAsync(TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        BindingDescription adopted = Assert.Single(await client.ListBindingsAsync(TestContext.Current.CancellationToken), binding => binding.BindingId == bound.Binding);
        Assert.Equal((Pairs, BindingState.Active, true), (adopted.QueuePairs, adopted.State, adopted.LinkUp));
        await flows.EchoAsync(EchoOf(bound), Datagrams);

        ProcessMark.Kill((await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0].ProcessId!.Value);
        await daemon.UntilAsync(
            async () => (await app.AskAsync<QueuesReport>("state")) is { LinkUp: true, LinkEpoch: 1 }
                && (await client.ListBindingsAsync(TestContext.Current.CancellationToken)).All(static binding => binding.LinkUp),
            "links that are back",
            TestContext.Current.CancellationToken);
        await flows.EchoAsync(EchoOf(bound), Datagrams);
        QueuesReport queues = await app.AskAsync<QueuesReport>("state");
        Assert.Equal(Expected(flows, bound, Pairs, 4 * Datagrams), queues.Datagrams);
        Assert.Equal(0, queues.Misplaced);

        await client.RevokeAsync(bound.Binding, RevocationMode.Invisible, cancellationToken: TestContext.Current.CancellationToken);
        for (int queue = 0; queue < Pairs; queue++)
        {
            RevokedReport revoked = await app.ExpectAsync<RevokedReport>();
            Assert.Equal((bound.Binding, BindingState.Revoked), (revoked.Binding, revoked.State));
            Assert.Contains(revoked.Repossessed, static entry => entry is { Kind: ResourceKind.QueuePairs, Count: Pairs });
        }
    }

    [Fact]
    public async Task More_pairs_than_the_device_has_are_refused_with_how_many_it_has()
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        ArrakisException refused = await Assert.ThrowsAsync<ArrakisException>(async () => await client.BindNicAsync(new NicRequest { QueuePairs = 9 }, TestContext.Current.CancellationToken));
        Assert.Equal((ErrorCode.InvalidRequest, "Ask for 1 to 8."), (refused.Code, refused.Remedy));
        await using NicBinding nic = await client.BindNicAsync(new NicRequest { QueuePairs = 8, Buffers = 512 }, TestContext.Current.CancellationToken);
        Assert.Equal((8, 8), (nic.Queues.Count, nic.Grant.QueuePairs));
    }

    private static UdpEndPoint EchoOf(BoundReport bound) => new(Ipv4Address.Parse(bound.Address), Load.Port);

    private static long[] Expected(Flows flows, BoundReport bound, int pairs, int datagrams)
    {
        long[] expected = new long[pairs];
        foreach (UdpEndPoint source in flows.Sources)
        {
            expected[Flows.QueueOf(source, EchoOf(bound), pairs)] += datagrams;
        }

        return expected;
    }
}
