using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;

namespace Arrakis.Hardware.Tests.Support;

/// <summary>A daemon with a hardware device, and the kernel's own stack on the physical function of the 82576: all are on one wire.</summary>
internal sealed class HardwareDaemon : IAsyncDisposable
{
    /// <summary>The device's name.</summary>
    public const string Device = "nic0";

    /// <summary>Where the kernel is.</summary>
    public const string Kernel = "10.98.0.1";

    private const string Network = "10.98.0.0/24";

    private readonly (int Functions, int Autoprobe) _before;

    private HardwareDaemon(DaemonProcess daemon, string link, (int Functions, int Autoprobe) before)
    {
        Daemon = daemon;
        Link = link;
        _before = before;
    }

    public DaemonProcess Daemon { get; }

    /// <summary>The kernel's interface.</summary>
    public string Link { get; }

    public string ControlSocket => Daemon.ControlSocket;

    /// <summary>Starts it.</summary>
    /// <param name="kind">"igbvf" for virtual functions of the 82576, "virtio" for the virtio-net function.</param>
    /// <param name="vfio">Which of VFIO's interfaces: "group" or "cdev".</param>
    /// <param name="functions">Virtual functions.</param>
    /// <param name="more">More of the device's options, each with a comma before it.</param>
    public static async Task<HardwareDaemon> StartAsync(string kind, string vfio, int functions = 2, string more = "")
    {
        if (kind == "virtio")
        {
            return await StartOnAsync(LabMachine.VirtioNet, vfio, more);
        }

        string link = LabMachine.Igb.NetworkInterface;
        return await StartAsync(link, $$"""{ "kind": "sriov", "name": "{{Device}}", "physicalFunction": "{{link}}", "functions": {{functions}}, "networks": ["{{Network}}"], "vfio": "{{vfio}}"{{more}} }""");
    }

    /// <summary>Starts it with a function that is there already.</summary>
    public static Task<HardwareDaemon> StartOnAsync(PciFunction function, string vfio, string more = "") => StartAsync(
        LabMachine.Igb.NetworkInterface,
        $$"""{ "kind": "pci", "name": "{{Device}}", "functions": ["{{function}}"], "networks": ["{{Network}}"], "vfio": "{{vfio}}"{{more}} }""");

    /// <summary>A conversation with the daemon.</summary>
    public ValueTask<ArrakisClient> ConnectAsync() => Daemon.ConnectAsync(TestContext.Current.CancellationToken);

    /// <summary>Waits until nothing is bound: what a process that ended has left is taken down after its end.</summary>
    public async Task UntilNothingIsBoundAsync()
    {
        await using ArrakisClient client = await ConnectAsync();
        await Daemon.UntilAsync(async () => (await client.ListBindingsAsync(TestContext.Current.CancellationToken)).Count == 0, "an end of all bindings", TestContext.Current.CancellationToken);
    }

    /// <summary>Ends it, and checks that it leaves the card as it found it.</summary>
    public async ValueTask DisposeAsync()
    {
        await Daemon.DisposeAsync();
        await IpAsync("address", "flush", "dev", Link);
        Assert.Equal(_before, ReadCard());
    }

    private static async Task<HardwareDaemon> StartAsync(string link, string device)
    {
        (int Functions, int Autoprobe) before = ReadCard();
        await IpAsync("link", "set", link, "up");
        await IpAsync("address", "replace", $"{Kernel}/24", "dev", link);
        var setup = new DaemonSetup
        {
            HasSoftDevice = false,
            MoreDevices = [device],
            Policy = """
                { "rules": [
                  { "name": "root", "uid": 0, "devices": ["*"], "virtualFunctions": 64, "memoryBytes": 4294967296, "queueSize": 32768, "macs": "local", "administrator": true },
                  { "name": "users", "anyone": true, "devices": ["nic0"], "virtualFunctions": 1 }
                ] }
                """,
        };
        DaemonProcess daemon = await DaemonProcess.StartAsync(setup, TestContext.Current.CancellationToken);
        return new HardwareDaemon(daemon, link, before);
    }

    private static (int Functions, int Autoprobe) ReadCard() => (LabMachine.Igb.Number("sriov_numvfs"), LabMachine.Igb.Number("sriov_drivers_autoprobe"));

    private static Task IpAsync(params string[] arguments) => Command.RunAsync("ip", arguments, CancellationToken.None);
}
