using System.Globalization;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;

namespace Arrakis.SystemTests;

/// <summary>The kernel's own stack, through the uplink, from a network namespace.</summary>
public sealed class UplinkTests
{
    private const string KernelAddress = "10.97.0.254";
    private static int s_count;

    [Theory]
    [InlineData(ServerApi.Native)]
    [InlineData(ServerApi.Socket)]
    public async Task The_kernel_pings_a_binding_and_gets_every_datagram_back(ServerApi api)
    {
        await using var teardown = new Teardown();
        (DaemonProcess daemon, NetworkNamespace kernel, string _) = await StartAsync(teardown);
        await using AppProcess app = AppProcess.Start(new EchoOrder(daemon.ControlSocket, api, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport bound = await app.ExpectAsync<BoundReport>();

        await Command.RunAsync("nsenter", [$"--net={kernel.Path}", "ping", "-c", "5", "-i", "0.2", "-W", "10", bound.Address], TestContext.Current.CancellationToken);
        await Command.RunAsync("nsenter", [$"--net={kernel.Path}", "ping", "-c", "3", "-i", "0.2", "-W", "10", "-s", "1472", "-M", "do", bound.Address], TestContext.Current.CancellationToken);
        await using AppProcess client = AppProcess.Start(new KernelClientOrder(bound.Address, Load.Port, 200, 42), kernel.Path);
        Assert.Equal(200, (await client.ExpectAsync<DoneReport>()).Count);
        Assert.Contains($"lladdr {bound.Mac}", await NeighboursAsync(kernel), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Only_the_binding_answers_for_its_address_even_where_the_kernel_has_it_too()
    {
        await using var teardown = new Teardown();
        (DaemonProcess daemon, NetworkNamespace kernel, string uplink) = await StartAsync(teardown);
        await using AppProcess app = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport bound = await app.ExpectAsync<BoundReport>();
        await using (AppProcess asker = AppProcess.Start(new ArpOrder(uplink, KernelAddress, bound.Address, 5), kernel.Path))
        {
            OnlyFrom(bound, await asker.ExpectAsync<ArpReport>());
        }

        // A kernel answers for any address that it has, on whatever interface: it is never asked for this one.
        await Command.RunAsync("ip", ["-n", kernel.Name, "address", "add", $"{bound.Address}/32", "dev", "lo"], TestContext.Current.CancellationToken);
        await using (AppProcess asker = AppProcess.Start(new ArpOrder(uplink, KernelAddress, bound.Address, 5), kernel.Path))
        {
            OnlyFrom(bound, await asker.ExpectAsync<ArpReport>());
        }

        // A neighbour asks too, and is answered by the binding: its flood arrives there.
        await using AppProcess flood = AppProcess.Start(new FloodOrder(daemon.ControlSocket, bound.Address, Load.Port));
        _ = await flood.ExpectAsync<BoundReport>();
        await daemon.UntilAsync(async () => (await app.AskAsync<StateReport>("state")).DatagramsDelivered > 1_000, "datagrams of a neighbour", TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task An_uplink_outlives_the_deaths_of_daemon_and_device()
    {
        await using var teardown = new Teardown();
        (DaemonProcess daemon, NetworkNamespace kernel, string _) = await StartAsync(teardown);
        await using AppProcess app = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, Load.Port, WhenAskedBack.Nothing));
        BoundReport bound = await app.ExpectAsync<BoundReport>();
        await EchoesThroughKernelAsync(kernel, bound);

        await using (ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken))
        {
            int process = (await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0].ProcessId!.Value;
            TestBed.Processes.ProcessMark.Kill(process);
            await daemon.UntilAsync(
                async () => (await client.ListDevicesAsync())[0] is { Up: true } device && device.ProcessId != process && (await client.ListBindingsAsync())[0].LinkUp,
                "a device that is back",
                TestContext.Current.CancellationToken);
        }

        await EchoesThroughKernelAsync(kernel, bound);
        await daemon.KillAsync();
        await EchoesThroughKernelAsync(kernel, bound);
        await daemon.StartAgainAsync(TestContext.Current.CancellationToken);
        await EchoesThroughKernelAsync(kernel, bound);
    }

    private static async Task EchoesThroughKernelAsync(NetworkNamespace kernel, BoundReport bound)
    {
        await using AppProcess client = AppProcess.Start(new KernelClientOrder(bound.Address, Load.Port, 50, 43), kernel.Path);
        Assert.Equal(50, (await client.ExpectAsync<DoneReport>()).Count);
    }

    private static void OnlyFrom(BoundReport bound, ArpReport report)
    {
        Assert.NotEmpty(report.Answers);
        Assert.All(report.Answers, answer => Assert.Equal(bound.Mac, answer));
    }

    private static async Task<(DaemonProcess Daemon, NetworkNamespace Kernel, string Uplink)> StartAsync(Teardown teardown)
    {
        string uplink = string.Create(CultureInfo.InvariantCulture, $"ast{Environment.ProcessId}x{Interlocked.Increment(ref s_count)}");
        NetworkNamespace kernel = await NetworkNamespace.CreateAsync($"system{s_count}", teardown, TestContext.Current.CancellationToken);
        DaemonProcess daemon = await DaemonProcess.StartAsync(new DaemonSetup { Uplink = uplink }, TestContext.Current.CancellationToken);
        teardown.Add("end the daemon", async () => await daemon.DisposeAsync());
        await kernel.AdoptAsync(uplink, $"{KernelAddress}/24", TestContext.Current.CancellationToken);
        return (daemon, kernel, uplink);
    }

    private static Task<string> NeighboursAsync(NetworkNamespace kernel) =>
        Command.ReadAsync("ip", ["-n", kernel.Name, "neighbour", "show"], TestContext.Current.CancellationToken);
}
