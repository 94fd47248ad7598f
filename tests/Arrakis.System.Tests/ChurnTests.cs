using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;

namespace Arrakis.SystemTests;

/// <summary>Bindings that come and go in numbers leak nothing.</summary>
/// <remarks>ARRAKIS_CHURN_ROUNDS (1000) rounds; ARRAKIS_CHURN_SEED seeds every choice. A longer form runs in the same way.</remarks>
public sealed class ChurnTests
{
    private const int Workers = 3;
    private const int MaxMilliseconds = 4;
    private const int WarmUpRounds = 60;
    private const long MaxGrowth = 64L << 20;

    [Fact]
    public async Task Rounds_of_bind_revoke_and_release_with_random_timing_leak_nothing()
    {
        ChurnSettings.Print($"{ChurnSettings.Rounds} rounds");
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(new DaemonSetup { Functions = 8 }, TestContext.Current.CancellationToken);
        await RunAsync(daemon, WarmUpRounds, ChurnSettings.Seed);
        Footprint idle = await Footprint.ReadAsync(daemon);
        long[] memory = await ResidentAsync(daemon);

        await using (AppProcess others = AppProcess.Start(new ChurnOrder(daemon.ControlSocket, 2, ChurnSettings.Seed)))
        {
            await RunAsync(daemon, ChurnSettings.Rounds, ChurnSettings.Seed + 1);
            Assert.True((await others.AskAsync<DoneReport>("count")).Count > 0, "The other process bound nothing.");
        }

        await Invariants.HoldAsync(daemon);
        await Invariants.IsIdleAsync(daemon, idle);
        long[] grown = [.. (await ResidentAsync(daemon)).Zip(memory, static (now, then) => now - then)];
        Assert.True(grown.Max() < MaxGrowth, $"Daemon, device and keeper have grown by {string.Join(", ", grown)} bytes.");
        await AllFunctionsCanBeBoundAsync(daemon);
    }

    private static async Task RunAsync(DaemonProcess daemon, int rounds, int seed)
    {
        await using ArrakisClient administrator = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        int left = rounds;
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
        {
            var random = new Random(seed * Workers + worker);
            ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
            while (Interlocked.Decrement(ref left) >= 0)
            {
                if (await RoundAsync(client, administrator, random))
                {
                    await client.DisposeAsync();
                    client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
                }
            }

            await client.DisposeAsync();
        })));
    }

    /// <summary>One round; whether its end is that of the whole conversation.</summary>
    private static async Task<bool> RoundAsync(ArrakisClient client, ArrakisClient administrator, Random random)
    {
        NicBinding nic = await client.BindNicAsync(new NicRequest { QueueSize = 1 << random.Next(4, 9), Buffers = 1024 }, TestContext.Current.CancellationToken);
        await PollAsync(nic, random);
        switch (random.Next(5))
        {
            case 0:
                await RevokeAsync(nic, administrator, RevocationMode.Invisible);
                break;
            case 1:
                await RevokeAsync(nic, administrator, RevocationMode.Visible);
                break;
            case 2:
                // Both at once: one of them comes too late.
                Task revoking = RevokeIfThereAsync(nic, administrator);
                await Task.Delay(random.Next(MaxMilliseconds));
                await nic.DisposeAsync();
                await revoking;
                break;
            case 3:
                return true;
            default:
                await nic.DisposeAsync();
                break;
        }

        return false;
    }

    private static async Task PollAsync(NicBinding nic, Random random)
    {
        for (int i = random.Next(20); i > 0; i--)
        {
            _ = nic.PollOnce(static (_, _) => { });
        }

        await Task.Delay(random.Next(MaxMilliseconds));
    }

    private static async Task RevokeAsync(NicBinding nic, ArrakisClient administrator, RevocationMode mode)
    {
        await administrator.RevokeAsync(nic.Grant.BindingId, mode, TimeSpan.FromMilliseconds(2), TestContext.Current.CancellationToken);
        BindingRevokedException revoked = Assert.Throws<BindingRevokedException>(() => nic.PollOnce(static (_, _) => { }));
        Assert.Equal(nic.Grant.BindingId, revoked.BindingId);
        Assert.Equal(mode == RevocationMode.Invisible ? BindingState.Revoked : BindingState.Aborted, revoked.State);
        await nic.DisposeAsync();
    }

    private static async Task RevokeIfThereAsync(NicBinding nic, ArrakisClient administrator)
    {
        try
        {
            await administrator.RevokeAsync(nic.Grant.BindingId, RevocationMode.Invisible, cancellationToken: TestContext.Current.CancellationToken);
        }
        catch (ArrakisException e) when (e.Code == ErrorCode.UnknownBinding)
        {
            // The release was first.
        }
    }

    private static async Task<long[]> ResidentAsync(DaemonProcess daemon)
    {
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        int device = (await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0].ProcessId!.Value;
        return [ProcessFacts.ResidentBytes(daemon.ProcessId), ProcessFacts.ResidentBytes(device), ProcessFacts.ResidentBytes(daemon.KeeperProcessId)];
    }

    internal static async Task AllFunctionsCanBeBoundAsync(DaemonProcess daemon)
    {
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        DeviceDescription device = (await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0];
        foreach (VirtualFunctionDescription function in device.VirtualFunctions)
        {
            Assert.Null(function.BindingId);
            _ = await client.BindNicAsync(new NicRequest(), TestContext.Current.CancellationToken); // Given back with the client.
        }

        IReadOnlyList<BindingDescription> bindings = await client.ListBindingsAsync(TestContext.Current.CancellationToken);
        Assert.Equal(device.VirtualFunctions.Select(static function => function.Index), bindings.Select(static binding => binding.VirtualFunction).Order());
        Assert.All(bindings, static binding => Assert.True(binding.LinkUp));
    }
}
