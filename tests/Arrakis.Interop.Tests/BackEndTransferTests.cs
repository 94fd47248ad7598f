using System.Text.Json;
using Arrakis.Interop.Tests.Support;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Dpdk;
using Arrakis.TestBed.Machine;
using Arrakis.Wire.Rings;

namespace Arrakis.Interop.Tests;

/// <summary>An application on our rings, with the daemon's binding to someone else's back end, and a kernel on that one's other side.</summary>
public sealed class BackEndTransferTests
{
    private const string Device = "external0";
    private const string Address = "10.96.0.2";
    private const string Mac = "02:96:00:00:00:02";
    private const string KernelAddress = "10.96.0.9";
    private const ushort Port = 7000;
    private const ushort KernelPort = 7001;
    private const int BackEndCore = 0;
    private const int ApplicationCore = 1;

    [Theory]
    [InlineData(BackEndKind.NetVhost, RingFormat.Split, 1024)]
    [InlineData(BackEndKind.NetVhost, RingFormat.Packed, 256)]
    [InlineData(BackEndKind.OvsDpdk, RingFormat.Split, 1024)]
    [InlineData(BackEndKind.OvsDpdk, RingFormat.Packed, 1024)]
    public async Task An_application_is_pinged_and_transfers_both_ways(BackEndKind kind, RingFormat rings, long megabytes)
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using var teardown = new Teardown();
        NetworkNamespace behind = await NetworkNamespace.CreateAsync("behind", teardown, TestContext.Current.CancellationToken);
        await using IBackEnd backEnd = kind == BackEndKind.NetVhost
            ? await TestpmdBackEnd.StartAsync(pages, BackEndCore, behind)
            : await OvsDpdk.StartAsync(pages, BackEndCore, behind);
        await behind.ConfigureAsync(backEnd.Interface, $"{KernelAddress}/24", TestContext.Current.CancellationToken);
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(
            new DaemonSetup
            {
                Functions = 1,
                MoreDevices = [$$"""{ "kind": "vhost-user", "name": "{{Device}}", "networks": ["10.96.0.0/24"], "sockets": ["{{backEnd.Socket}}"] }"""],
            },
            TestContext.Current.CancellationToken);
        await using AppProcess application = AppProcess.Start(new RingTransferOrder
        {
            ControlSocket = daemon.ControlSocket,
            Device = Device,
            Address = $"{Address}/24",
            Mac = Mac,
            Rings = rings,
            Core = ApplicationCore,
            Port = Port,
            Peer = KernelAddress,
        });
        _ = await application.ExpectAsync<BoundReport>();
        await backEnd.StartForwardingAsync();

        await FrontEndBed.PingAsync(behind, Address);
        await TransferToApplicationAsync(application, behind, megabytes << 20);
        await TransferFromApplicationAsync(application, behind, megabytes << 20);
    }

    private static async Task TransferToApplicationAsync(AppProcess application, NetworkNamespace behind, long length)
    {
        await application.TellAsync(JsonSerializer.Serialize(new TransferCommand(false, KernelPort, 1, 11, length)));
        _ = await application.ExpectAsync<ListeningReport>();
        await using AppProcess kernel = AppProcess.Start(new KernelTransferOrder(true, Address, Port, 1, 11, length), behind.Path);
        await AgreeAsync(sender: kernel, receiver: application, length);
        await application.TellAsync("enough");
    }

    private static async Task TransferFromApplicationAsync(AppProcess application, NetworkNamespace behind, long length)
    {
        await using AppProcess kernel = AppProcess.Start(new KernelTransferOrder(false, KernelAddress, KernelPort, 2, 12, length), behind.Path);
        _ = await kernel.ExpectAsync<ListeningReport>();
        await application.TellAsync(JsonSerializer.Serialize(new TransferCommand(true, KernelPort, 2, 12, length)));
        await AgreeAsync(sender: application, receiver: kernel, length);
    }

    private static async Task AgreeAsync(AppProcess sender, AppProcess receiver, long length)
    {
        long start = TimeProvider.System.GetTimestamp();
        StreamReport received = await receiver.ExpectAsync<StreamReport>(Transfers.Patience);
        StreamReport sent = await sender.ExpectAsync<StreamReport>(Transfers.Patience);
        Assert.Equal(length, received.Length);
        Assert.Equal(sent.Sha256, received.Sha256);
        TestContext.Current.TestOutputHelper?.WriteLine($"{sent.Length} bytes in {TimeProvider.System.GetElapsedTime(start).TotalSeconds:F1} s; chunks sent again: {sent.Repeated}");
    }
}
