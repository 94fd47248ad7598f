using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.SystemTests;

/// <summary>The data path makes no system call, allocates nothing, and needs no daemon.</summary>
public sealed class SystemCallTests
{
    private const long Datagrams = 1_000_000;

    private static DaemonSetup Setup => new() { Core = Cores.Device, Idle = "spin" };

    [Theory]
    [InlineData(ServerApi.Native)]
    [InlineData(ServerApi.Socket)]
    public async Task A_million_datagrams_are_answered_without_a_system_call_and_without_an_allocation(ServerApi api)
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(Setup, TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using FilteredApp app = await FilteredApp.StartAsync(daemon, api);

        TestResult result = await client.RunTestAsync(DaemonSetup.Device, Load.Plan(app.Bound, Datagrams), TestContext.Current.CancellationToken);

        Load.AllAnswered(result, Datagrams);
        ProofReport proof = await app.FinishAsync();
        Assert.True(proof.Datagrams >= Datagrams, $"Only {proof.Datagrams} were answered under the filter.");
        Assert.Equal(proof.AllocatedBefore, proof.AllocatedAfter);
    }

    [Theory]
    [InlineData(ServerApi.Native)]
    [InlineData(ServerApi.Socket)]
    public async Task A_daemon_that_is_killed_half_way_costs_no_datagram_and_its_successor_takes_over(ServerApi api)
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(Setup, TestContext.Current.CancellationToken);
        await using FilteredApp app = await FilteredApp.StartAsync(daemon, api);
        long before = await Load.SentAsync(daemon);

        Task<TestResult> run = Load.RunAsync(daemon, Load.Plan(app.Bound, 2 * Datagrams));
        await Load.UntilSentAsync(daemon, before, Datagrams);
        await daemon.KillAsync();
        Assert.False(run.IsCompleted, "The load ended before the daemon was killed.");
        Load.AllAnswered(await run, 2 * Datagrams);

        await daemon.StartAgainAsync(TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        BindingDescription adopted = Assert.Single(await client.ListBindingsAsync(TestContext.Current.CancellationToken));
        Assert.Equal((app.Bound.Binding, app.Bound.Generation, app.Id, BindingState.Active), (adopted.BindingId, adopted.Generation, adopted.ProcessId, adopted.State));
        await Load.EchoesAsync(daemon, app.Bound, 10_000);
        ProofReport proof = await app.FinishAsync();
        Assert.True(proof.Datagrams >= 2 * Datagrams, $"Only {proof.Datagrams} were answered under the filter.");
        Assert.Equal(proof.AllocatedBefore, proof.AllocatedAfter);

        await app.TellAsync("revoked");
        await client.RevokeAsync(adopted.BindingId, RevocationMode.Invisible, cancellationToken: TestContext.Current.CancellationToken);
        RevokedReport revoked = await app.ExpectAsync<RevokedReport>();
        Assert.Equal((adopted.BindingId, adopted.Generation, BindingState.Revoked), (revoked.Binding, revoked.Generation, revoked.State));
        Assert.Empty(await client.ListBindingsAsync(TestContext.Current.CancellationToken));
    }
}
