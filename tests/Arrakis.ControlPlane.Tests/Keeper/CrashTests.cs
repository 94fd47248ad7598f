using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Tests.ControlSocket;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Native;
using Arrakis.Native.Processes;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.ControlPlane.Tests.Keeper;

/// <summary>A daemon and a keeper that are killed, with a binding of this process.</summary>
public sealed class CrashTests
{
    private const int Stop = 19;
    private static readonly DaemonSetup s_setup = new() { Limits = "{ \"requestsInFlight\": 1 }" };
    private static readonly List<RawClient> s_clients = []; // Closing one would release its binding.

    [Fact]
    public async Task A_killed_daemons_binding_is_adopted_and_can_be_revoked()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(s_setup, cancellation);
        (Grant grant, StatusReader status) = await BindAsync(daemon);
        using (status)
        {
            await daemon.KillAsync();
            Assert.Equal((BindingState.Active, true, 0U), (status.State, status.LinkUp, status.LinkEpoch));
            await daemon.StartAgainAsync(cancellation);
            using RawClient client = await RawClient.GreetAsync(daemon.ControlSocket);
            IReadOnlyList<BindingDescription> left = await client.ListAsync();
            Assert.True(left.Count == 1, $"{left.Count} bindings were adopted. The daemon's log:\n{daemon.Log}");
            BindingDescription adopted = left[0];
            Assert.Equal((grant.BindingId, grant.Generation, true), (adopted.BindingId, adopted.Generation, adopted.LinkUp));
            Assert.Equal((BindingState.Active, 0U), (status.State, status.LinkEpoch));
            _ = Assert.IsType<DoneReply>(await client.AskAsync(new RevokeRequest { Id = client.NextId(), BindingId = grant.BindingId }));
            Assert.Equal(BindingState.Revoked, status.State);
            Assert.True((await client.BindAsync()).Grant.BindingId > grant.BindingId);
        }
    }

    [Fact]
    public async Task A_killed_keeper_is_started_again_and_refilled()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(s_setup, cancellation);
        (Grant grant, StatusReader status) = await BindAsync(daemon);
        using (status)
        {
            ProcessMark.Kill(daemon.KeeperProcessId);
            await daemon.UntilAsync(() => daemon.Log.Contains("The new keeper has 9 descriptors", StringComparison.Ordinal), "a new keeper with the ledger and the eight parts of the binding", cancellation);
            await daemon.KillAsync();
            await daemon.StartAgainAsync(cancellation);
            using RawClient client = await RawClient.GreetAsync(daemon.ControlSocket);
            Assert.Equal(grant.BindingId, Assert.Single(await client.ListAsync()).BindingId);
            Assert.Equal((BindingState.Active, true), (status.State, status.LinkUp));
        }
    }

    [Fact]
    public async Task A_keeper_that_does_not_answer_is_replaced()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(s_setup, cancellation);
        using (ProcessDescriptor keeper = ProcessDescriptor.Open(daemon.KeeperProcessId))
        {
            Assert.True(keeper.Signal(Stop));
            (_, StatusReader status) = await BindAsync(daemon);
            status.Dispose();
            await daemon.UntilAsync(() => daemon.Log.Contains("The new keeper has 9 descriptors", StringComparison.Ordinal), "another keeper that has everything", cancellation);
            Assert.True(keeper.HasExited);
        }
    }

    [Fact]
    public async Task A_daemon_that_is_told_to_stop_and_keep_leaves_its_bindings_to_the_next()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(s_setup with { OnStop = "keep" }, cancellation);
        (Grant grant, StatusReader status) = await BindAsync(daemon);
        using (status)
        {
            using (ProcessDescriptor process = ProcessDescriptor.Open(daemon.ProcessId))
            {
                Assert.True(process.Signal(15));
                await daemon.UntilAsync(() => process.HasExited, "the daemon's end", cancellation);
            }

            await daemon.KillAsync();
            Assert.Equal((BindingState.Active, true), (status.State, status.LinkUp));
            await daemon.StartAgainAsync(cancellation);
            using RawClient client = await RawClient.GreetAsync(daemon.ControlSocket);
            Assert.Equal(grant.BindingId, Assert.Single(await client.ListAsync()).BindingId);
        }
    }

    /// <summary>Binds, and lets go of all but the status page; the connection stays open for as long as the daemon lives.</summary>
    private static async Task<(Grant Grant, StatusReader Status)> BindAsync(DaemonProcess daemon)
    {
        RawClient client = await RawClient.GreetAsync(daemon.ControlSocket);
        (Grant grant, IReadOnlyList<Descriptor> descriptors) = await client.BindConfirmedAsync();
        s_clients.Add(client);
        return (grant, new StatusReader(descriptors[Grant.StatusDescriptor]));
    }
}
