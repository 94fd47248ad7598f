using Arrakis.Interop.Tests.Support;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Dpdk;
using Arrakis.TestBed.Machine;

namespace Arrakis.Interop.Tests;

/// <summary>
/// DPDK's virtio-user driver as the front end of the software device, carrying TCP: testpmd passes frames between it and
/// a kernel interface, which so is on the other side of the device from the host behind the uplink.
/// </summary>
public sealed class TestpmdBridgeTests
{
    private const string Tap = "behind0";
    private const ushort Port = 5001;

    [Theory]
    [InlineData("queue_size=256,packed_vq=0,mrg_rxbuf=0,in_order=0")]
    [InlineData("queue_size=1024,packed_vq=1,mrg_rxbuf=1,in_order=1")]
    public async Task A_kernel_behind_dpdk_is_pinged_and_streams_both_ways(string rings)
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using FrontEndBed bed = await FrontEndBed.StartAsync();
        NetworkNamespace behind = await bed.CreateNamespaceAsync("behind");
        Testpmd testpmd = await Testpmd.StartAsync(
            pages, 1, [$"net_virtio_user0,path={bed.Socket},queues=1,{rings}", $"net_tap0,iface={Tap},mac={FrontEndBed.Mac}"], behind, "--forward-mode=io");
        bed.Add("end testpmd", () => testpmd.DisposeAsync().AsTask());
        _ = await testpmd.TellAsync("start");
        await behind.ConfigureAsync(Tap, $"{FrontEndBed.Address}/24", TestContext.Current.CancellationToken);
        await FrontEndBed.PingAsync(bed.Host, FrontEndBed.Address);
        await FrontEndBed.PingAsync(behind, FrontEndBed.HostAddress);
        await StreamAsync(from: bed.Host, to: behind, FrontEndBed.Address, seed: 1);
        await StreamAsync(from: behind, to: bed.Host, FrontEndBed.HostAddress, seed: 2);
    }

    private static async Task StreamAsync(NetworkNamespace from, NetworkNamespace to, string address, ulong seed)
    {
        await using AppProcess sink = AppProcess.Start(new TcpStreamOrder(true, false, address, Port, seed, Transfers.Length), to.Path);
        _ = await sink.ExpectAsync<ListeningReport>();
        await using AppProcess source = AppProcess.Start(new TcpStreamOrder(false, true, address, Port, seed, Transfers.Length), from.Path);
        StreamReport received = await sink.ExpectAsync<StreamReport>(Transfers.Patience);
        Assert.Equal(Transfers.Length, received.Length);
        Assert.Equal((await source.ExpectAsync<StreamReport>(Transfers.Patience)).Sha256, received.Sha256);
    }
}
