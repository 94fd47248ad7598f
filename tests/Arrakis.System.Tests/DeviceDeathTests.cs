using Arrakis.Contract.Control;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.SystemTests;

/// <summary>The software device dies: the link goes down and up, bindings stay, the echo goes on.</summary>
public sealed class DeviceDeathTests
{
    private const long Requests = 50_000;

    [Theory]
    [InlineData(ServerApi.Native)]
    [InlineData(ServerApi.Socket)]
    public async Task After_a_death_of_the_device_under_load_the_echo_goes_on(ServerApi api)
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using AppProcess app = AppProcess.Start(new EchoOrder(daemon.ControlSocket, api, 2, Load.Port, WhenAskedBack.Nothing));
        BoundReport[] bound = [await app.ExpectAsync<BoundReport>(), await app.ExpectAsync<BoundReport>()];
        for (uint deaths = 1; deaths <= 2; deaths++)
        {
            DeviceDescription before = Assert.Single(await client.ListDevicesAsync(TestContext.Current.CancellationToken));
            await Load.GreetAsync(daemon, bound[0]);
            long sent = await Load.SentAsync(daemon);
            Task<TestResult> run = Load.RunAsync(daemon, Load.Plan(bound[0], long.MaxValue));
            await Load.UntilSentAsync(daemon, sent, 10_000);

            ProcessMark.Kill(before.ProcessId!.Value);

            _ = await Assert.ThrowsAsync<IOException>(() => run);
            await daemon.UntilAsync(() => IsUpAgainAsync(client, before), "a device with all its links", TestContext.Current.CancellationToken);
            await app.TellAsync("state");
            foreach (BoundReport binding in bound)
            {
                StateReport state = await app.ExpectAsync<StateReport>();
                Assert.Equal((binding.Binding, true, deaths), (state.Binding, state.LinkUp, state.LinkEpoch));
                await Load.EchoesAsync(daemon, binding, Requests);
            }
        }

        IReadOnlyList<BindingDescription> bindings = await client.ListBindingsAsync(TestContext.Current.CancellationToken);
        Assert.Equal(bound.Select(static report => (report.Binding, report.Generation)), bindings.Select(static binding => (binding.BindingId, binding.Generation)));
    }

    private static async Task<bool> IsUpAgainAsync(ArrakisClient client, DeviceDescription before)
    {
        DeviceDescription now = (await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0];
        return now.Up
            && now.ProcessId != before.ProcessId
            && now.Restarts == before.Restarts + 1
            && (await client.ListBindingsAsync(TestContext.Current.CancellationToken)).All(static binding => binding.LinkUp);
    }
}
