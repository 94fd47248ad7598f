using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.SystemTests;

/// <summary>Processes are killed at random points of bind rounds, and after each kill everything is in order again.</summary>
/// <remarks>ARRAKIS_CHURN_KILLS (200) kills; ARRAKIS_CHURN_SEED seeds every choice. A longer form runs in the same way.</remarks>
public sealed class KillTests
{
    private const int Threads = 2;
    private const int MaxMilliseconds = 40;

    [Fact]
    public async Task Kills_of_application_daemon_keeper_and_device_at_random_points_leak_nothing()
    {
        int kills = ChurnSettings.Kills;
        ChurnSettings.Print($"{kills} kills");
        var random = new Random(ChurnSettings.Seed);
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(new DaemonSetup { Functions = 8 }, TestContext.Current.CancellationToken);
        await Invariants.HoldAsync(daemon);
        Footprint idle = await Footprint.ReadAsync(daemon);
        AppProcess[] apps = [StartApp(daemon, random), StartApp(daemon, random)];
        int[] killed = new int[4];
        try
        {
            for (int i = 0; i < kills; i++)
            {
                await Task.Delay(random.Next(MaxMilliseconds), TestContext.Current.CancellationToken);
                int victim = random.Next(4);
                killed[victim]++;
                await KillAsync(victim, daemon, apps, random);
                await Invariants.HoldAsync(daemon);
            }

            foreach (AppProcess app in apps)
            {
                // An application that took something amiss says so instead.
                _ = await app.AskAsync<DoneReport>("count");
            }
        }
        finally
        {
            foreach (AppProcess app in apps)
            {
                await app.DisposeAsync();
            }
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"Killed: {killed[0]} applications, {killed[1]} daemons, {killed[2]} keepers, {killed[3]} devices.");
        await Invariants.IsIdleAsync(daemon, idle);
        await ChurnTests.AllFunctionsCanBeBoundAsync(daemon);
    }

    private static AppProcess StartApp(DaemonProcess daemon, Random random) => AppProcess.Start(new ChurnOrder(daemon.ControlSocket, Threads, random.Next()));

    private static async Task KillAsync(int victim, DaemonProcess daemon, AppProcess[] apps, Random random)
    {
        switch (victim)
        {
            case 0:
                int app = random.Next(apps.Length);
                await apps[app].KillAsync();
                await apps[app].DisposeAsync();
                apps[app] = StartApp(daemon, random);
                break;
            case 1:
                await daemon.KillAsync();
                await Task.Delay(random.Next(MaxMilliseconds), TestContext.Current.CancellationToken);
                await daemon.StartAgainAsync(TestContext.Current.CancellationToken);
                break;
            case 2:
                ProcessMark.Kill(daemon.KeeperProcessId);
                break;
            default:
                await using (ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken))
                {
                    if ((await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0].ProcessId is { } device)
                    {
                        ProcessMark.Kill(device);
                    }
                }

                break;
        }
    }
}
