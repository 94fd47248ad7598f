using Arrakis.Interop.Tests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Dpdk;
using Arrakis.Wire;

namespace Arrakis.Interop.Tests;

/// <summary>Our rings, set up by the daemon, against DPDK's vhost back end.</summary>
public sealed class NetVhostTests
{
    private const string Device = "dpdk0";
    private static readonly Ipv4Prefix _own = Ipv4Prefix.Parse("10.96.0.2/24");
    private static readonly Ipv4Address _other = Ipv4Address.Parse("10.96.0.9");

    [Fact]
    public async Task Datagrams_of_dpdk_are_received()
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using Testpmd backend = await StartAsync(pages, "txonly", "--tx-ip=10.96.0.9,10.96.0.2", "--tx-udp=9000,7", "--txpkts=142");
        await using DaemonProcess daemon = await StartDaemonAsync(pages);
        await using ArrakisClient client = await daemon.ConnectAsync(Cancellation);
        await using NicBinding nic = await client.BindNicAsync(new NicRequest { Device = Device, Address = _own, Mac = Mac }, Cancellation);
        Assert.True(nic.LinkUp);
        _ = await backend.TellAsync("start");
        long datagrams = 0;
        long wrong = 0;
        ReflectedDatagrams.Poll(
            nic,
            () => datagrams >= 20_000,
            (received, _) =>
            {
                foreach (Packet packet in received)
                {
                    Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
                    bool right = datagram.Source == new UdpEndPoint(_other, 9000) && datagram.DestinationPort == 7 && datagram.Payload.Length == 100;
                    wrong += right ? 0 : 1;
                    datagrams++;
                }
            });
        _ = await backend.TellAsync("stop");
        Assert.Equal(0, wrong);

        // Everything that DPDK has sent is in our ring or was taken out of it.
        long sent = (await backend.CountersAsync()).Sent;
        ReflectedDatagrams.Poll(nic, () => nic.Counters.FramesReceived >= sent, static (_, _) => { });
        Assert.Equal(sent, nic.Counters.FramesReceived);
        Assert.Equal(sent * 142, nic.Counters.BytesReceived);
    }

    [Fact]
    public async Task Dpdk_answers_our_questions_and_brings_our_datagrams_back()
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using Testpmd backend = await StartAsync(pages, "icmpecho");
        await using DaemonProcess daemon = await StartDaemonAsync(pages);
        await using ArrakisClient client = await daemon.ConnectAsync(Cancellation);
        await using NicBinding nic = await client.BindNicAsync(new NicRequest { Device = Device, Address = _own, Mac = Mac }, Cancellation);
        _ = await backend.TellAsync("start");
        var datagrams = new ReflectedDatagrams(nic, _other);
        datagrams.Resolve();
        await backend.ForwardAsync(ReflectedDatagrams.Mode);
        datagrams.Echo(3000);
    }

    [Fact]
    public async Task Each_of_two_queue_pairs_gets_back_what_it_sends()
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using Testpmd backend = await Testpmd.StartAsync(
            pages, 0, $"net_vhost0,iface={SocketPath(pages)},queues=2", ["--forward-mode=icmpecho", $"--eth-peer=0,{Mac}", "--rxq=2", "--txq=2"]);
        await using DaemonProcess daemon = await StartDaemonAsync(pages);
        await using ArrakisClient client = await daemon.ConnectAsync(Cancellation);
        await using NicBinding nic = await client.BindNicAsync(new NicRequest { Device = Device, Address = _own, Mac = Mac, QueuePairs = 2 }, Cancellation);
        Assert.True(nic.LinkUp);
        Assert.Null(nic.QueueOf(new UdpEndPoint(_other, 9001), 77)); // DPDK does not tell.
        _ = await backend.TellAsync("start");

        // DPDK answers on the queue on which it was asked: what the second learns the first knows.
        var datagrams = new ReflectedDatagrams(nic, _other);
        datagrams.Resolve(queue: 1);
        await backend.ForwardAsync(ReflectedDatagrams.Mode);
        for (int queue = 0; queue < 2; queue++)
        {
            long before = nic.Queues[queue].Counters.FramesReceived;
            datagrams.Echo(1000, queue);
            Assert.Equal(1000, nic.Queues[queue].Counters.FramesReceived - before);
        }
    }

    [Fact]
    public async Task The_link_comes_back_when_the_back_end_is_killed_and_started_again()
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using DaemonProcess daemon = await StartDaemonAsync(pages);
        await using ArrakisClient client = await daemon.ConnectAsync(Cancellation);
        Testpmd backend = await StartAsync(pages, "icmpecho");
        NicBinding nic = await client.BindNicAsync(new NicRequest { Device = Device, Address = _own, Mac = Mac }, Cancellation);
        await using (nic)
        {
            try
            {
                for (int life = 0; life < 3; life++)
                {
                    Assert.True(nic.LinkUp);
                    _ = await backend.TellAsync("start");
                    var datagrams = new ReflectedDatagrams(nic, _other);
                    datagrams.Resolve();
                    await backend.ForwardAsync(ReflectedDatagrams.Mode);
                    datagrams.Echo(500);
                    await backend.KillAsync();
                    await backend.DisposeAsync();
                    ReflectedDatagrams.Poll(nic, () => !nic.LinkUp, static (_, _) => { });

                    // DPDK does not replace the socket that its killed predecessor has left.
                    File.Delete(SocketPath(pages));
                    backend = await StartAsync(pages, "icmpecho");
                    ReflectedDatagrams.Poll(nic, () => nic.LinkUp, static (_, _) => { });
                }
            }
            finally
            {
                await backend.DisposeAsync();
            }
        }
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static MacAddress Mac => MacAddress.Parse("02:96:00:00:00:02");

    private static string SocketPath(HugePageFolder pages) => Path.Combine(pages.Folder, "backend.sock");

    private static Task<Testpmd> StartAsync(HugePageFolder pages, string mode, params string[] arguments) =>
        Testpmd.StartAsync(pages, 0, $"net_vhost0,iface={SocketPath(pages)}", [$"--forward-mode={mode}", $"--eth-peer=0,{Mac}", .. arguments]);

    private static Task<DaemonProcess> StartDaemonAsync(HugePageFolder pages) => DaemonProcess.StartAsync(
        new DaemonSetup
        {
            Functions = 1,
            MoreDevices = [$$"""{ "kind": "vhost-user", "name": "{{Device}}", "networks": ["10.96.0.0/24"], "sockets": ["{{SocketPath(pages)}}"] }"""],
        },
        Cancellation);
}
