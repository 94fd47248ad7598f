using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Native.Memory;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.Wire;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.SystemTests;

/// <summary>What a revocation takes, from whom, and what it leaves alone.</summary>
public sealed class RevocationTests
{
    private const long Requests = 400_000;
    private static readonly TimeSpan s_ample = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(300);

    [Theory]
    [InlineData(ServerApi.Native)]
    [InlineData(ServerApi.Socket)]
    public async Task A_binding_that_is_taken_under_full_load_ends_alone_and_its_function_goes_to_a_new_process(ServerApi api)
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using AppProcess app = AppProcess.Start(new EchoOrder(daemon.ControlSocket, api, 2, Load.Port, WhenAskedBack.Nothing));
        BoundReport taken = await app.ExpectAsync<BoundReport>();
        BoundReport kept = await app.ExpectAsync<BoundReport>();
        Assert.Equal(MemoryFile.HugePageSize, taken.PageSize); // Without hugepages there is nothing to count: reserve some.
        await using (AppProcess flood = AppProcess.Start(new FloodOrder(daemon.ControlSocket, taken.Address, Load.Port)))
        {
            _ = await flood.ExpectAsync<BoundReport>();
            await Load.GreetAsync(daemon, kept);
            await daemon.UntilAsync(async () => await ReceivedAsync(app) > 10_000, "a binding under load", TestContext.Current.CancellationToken);
            int free = HugePages.Free;
            long sent = await Load.SentAsync(daemon);
            Task<TestResult> run = Load.RunAsync(daemon, Load.Plan(kept, Requests));
            await Load.UntilSentAsync(daemon, sent, Requests / 10);

            await client.RevokeAsync(taken.Binding, RevocationMode.Invisible, cancellationToken: TestContext.Current.CancellationToken);

            RevokedReport revoked = await app.ExpectAsync<RevokedReport>();
            Assert.Equal((taken.Binding, taken.Generation, BindingState.Revoked), (revoked.Binding, revoked.Generation, revoked.State));
            Assert.False(run.IsCompleted, "The load ended before the revocation.");
            await daemon.UntilAsync(() => HugePages.Free >= free + taken.MemoryLength / MemoryFile.HugePageSize, "as many hugepages free again as were taken", TestContext.Current.CancellationToken);
            Load.AllAnswered(await run, Requests);
        }

        await using AppProcess next = AppProcess.Start(new EchoOrder(daemon.ControlSocket, api, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport again = await next.ExpectAsync<BoundReport>();
        Assert.Equal(taken.Function, again.Function);
        Assert.True(again.Generation > taken.Generation);
        await Load.EchoesAsync(daemon, again, 10_000);
        await Load.EchoesAsync(daemon, kept, 10_000);
    }

    [Fact]
    public async Task A_binding_can_be_taken_while_the_tester_loads_it()
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using AppProcess app = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport bound = await app.ExpectAsync<BoundReport>();
        long sent = await Load.SentAsync(daemon);
        Task<TestResult> run = Load.RunAsync(daemon, Load.Plan(bound, long.MaxValue) with { DurationMilliseconds = 10_000, LossTimeoutMilliseconds = 100 });
        await Load.UntilSentAsync(daemon, sent, 50_000);

        await client.RevokeAsync(bound.Binding, RevocationMode.Invisible, cancellationToken: TestContext.Current.CancellationToken);

        RevokedReport revoked = await app.ExpectAsync<RevokedReport>();
        Assert.Equal(bound.Binding, revoked.Binding);
        TestResult result = await run;
        Assert.True(result.Received >= 40_000, $"Only {result.Received} were answered.");
        Assert.True(result.Lost > 0, "After the revocation somebody answered still.");
        Assert.Equal(0, result.Corrupt);
    }

    [Theory]
    [InlineData(ServerApi.Native)]
    [InlineData(ServerApi.Socket)]
    public async Task A_holder_that_is_asked_gives_back_before_the_deadline(ServerApi api)
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using AppProcess app = AppProcess.Start(new EchoOrder(daemon.ControlSocket, api, 1, Load.Port, WhenAskedBack.GiveBack));
        BoundReport bound = await app.ExpectAsync<BoundReport>();

        await client.RevokeAsync(bound.Binding, RevocationMode.Visible, s_ample, TestContext.Current.CancellationToken);

        AskedReport asked = await app.ExpectAsync<AskedReport>();
        Assert.Equal((bound.Binding, ResourceKind.VirtualFunction, 1u), (asked.Binding, asked.Kind, asked.Units));
        Assert.InRange(asked.RemainingMilliseconds, 0, s_ample.TotalMilliseconds);
        Assert.Equal(bound.Binding, (await app.ExpectAsync<GivenBackReport>()).Binding);
        Assert.Empty(await client.ListBindingsAsync(TestContext.Current.CancellationToken));
        Assert.Contains($"Binding {bound.Binding}: Released (released by its holder)", daemon.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ServerApi.Native, WhenAskedBack.StaySilent)]
    [InlineData(ServerApi.Socket, WhenAskedBack.StaySilent)]
    [InlineData(ServerApi.Native, WhenAskedBack.Nothing)]
    public async Task A_silent_holder_is_aborted_at_the_deadline_and_can_read_what_was_taken(ServerApi api, WhenAskedBack answer)
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using AppProcess app = AppProcess.Start(new EchoOrder(daemon.ControlSocket, api, 1, Load.Port, answer));
        BoundReport bound = await app.ExpectAsync<BoundReport>();
        long start = TimeProvider.System.GetTimestamp();

        await client.RevokeAsync(bound.Binding, RevocationMode.Visible, s_short, TestContext.Current.CancellationToken);

        Assert.True(TimeProvider.System.GetElapsedTime(start) >= s_short, "It was taken before the deadline.");
        RevokedReport revoked = await app.SkipToAsync<RevokedReport>();
        Assert.Equal((bound.Binding, bound.Generation, BindingState.Aborted), (revoked.Binding, revoked.Generation, revoked.State));
        Assert.Equal(
            [
                (ResourceKind.VirtualFunction, (ulong)bound.Function, 1UL),
                (ResourceKind.QueuePairs, 0UL, 1UL),
                (ResourceKind.QueueMemory, 0UL, (ulong)bound.MemoryLength),
                (ResourceKind.MacAddress, MacAddress.Parse(bound.Mac).Value, 1UL),
                (ResourceKind.Ipv4Address, Ipv4Address.Parse(bound.Address).Value, 24UL),
            ],
            revoked.Repossessed.Select(static entry => (entry.Kind, entry.First, entry.Count)));
        Assert.All(revoked.Repossessed, static entry => Assert.True(entry.TimestampNanoseconds > 0));
    }

    /// <summary>What the first binding has received.</summary>
    private static async Task<long> ReceivedAsync(AppProcess app)
    {
        StateReport first = await app.AskAsync<StateReport>("state");
        _ = await app.ExpectAsync<StateReport>();
        return first.FramesReceived;
    }
}
