using System.Globalization;
using System.Security.Cryptography;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SystemTests;

/// <summary>Segments and checksums that are left to the software device, or not, arrive the same: at another binding and at the kernel.</summary>
public sealed class OffloadTests
{
    private const string KernelAddress = "10.97.0.254";
    private const VirtioFeatures All = VirtioFeatures.NetChecksum | VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetHostUso;

    private static readonly (int Length, int SegmentSize)[] s_sizes =
        [(0, 1), (1, 1), (64, 1), (1024, 16), (1024, 1024), (1400, 255), (4096, 257), (16 * 1024, 512), (32 * 1024, 1472), (50_001, 1000), (64 * 1024 - 29, 1472)];

    private static int s_count;

    [Theory]
    [InlineData(All, All, RingFormat.Split)]
    [InlineData(All, VirtioFeatures.None, RingFormat.Split)]
    [InlineData(VirtioFeatures.None, All, RingFormat.Packed)]
    [InlineData(All, All, RingFormat.Packed)]
    public async Task Two_bindings_exchange_segments(VirtioFeatures first, VirtioFeatures second, RingFormat rings)
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(new DaemonSetup(), TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using NicBinding asking = await BindAsync(client, first, rings);
        await using NicBinding answering = await BindAsync(client, second, rings);
        using Reactor asker = Reactor.Start(asking);
        using Reactor answerer = Reactor.Start(answering);
        var peer = new UdpEndPoint(answering.Address.Address, Load.Port);
        using var echo = new UdpSocket(answerer, Load.Port, receiveQueueLength: 512);
        Task echoing = answerer.RunAsync(() => EchoAsync(echo));
        await ExchangeAsync(asker, peer);
        Assert.False(echoing.IsFaulted, $"{echoing.Exception}");
        AllRight(asking);
        AllRight(answering);
    }

    [Theory]
    [InlineData(All, RingFormat.Split)]
    [InlineData(All, RingFormat.Packed)]
    [InlineData(VirtioFeatures.NetChecksum, RingFormat.Split)]
    [InlineData(VirtioFeatures.NetGuestChecksum, RingFormat.Split)]
    [InlineData(VirtioFeatures.None, RingFormat.Split)]
    public async Task The_kernel_takes_segments_and_sends_them_back(VirtioFeatures offloads, RingFormat rings)
    {
        await using var teardown = new Teardown();
        string uplink = string.Create(CultureInfo.InvariantCulture, $"aof{Environment.ProcessId}x{Interlocked.Increment(ref s_count)}");
        NetworkNamespace kernel = await NetworkNamespace.CreateAsync($"offload{s_count}", teardown, TestContext.Current.CancellationToken);
        DaemonProcess daemon = await DaemonProcess.StartAsync(new DaemonSetup { Uplink = uplink }, TestContext.Current.CancellationToken);
        teardown.Add("end the daemon", async () => await daemon.DisposeAsync());
        await kernel.AdoptAsync(uplink, $"{KernelAddress}/24", TestContext.Current.CancellationToken);
        await using AppProcess echo = AppProcess.Start(new KernelEchoOrder(KernelAddress, Load.Port), kernel.Path);
        _ = await echo.ExpectAsync<ListeningReport>();
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await using NicBinding nic = await BindAsync(client, offloads, rings);
        using Reactor reactor = Reactor.Start(nic);
        await ExchangeAsync(reactor, new UdpEndPoint(Ipv4Address.Parse(KernelAddress), Load.Port));
        AllRight(nic);
    }

    private static async Task<NicBinding> BindAsync(ArrakisClient client, VirtioFeatures offloads, RingFormat rings)
    {
        NicBinding nic = await client.BindNicAsync(
            new NicRequest { Offloads = offloads, RingFormat = rings, QueueSize = 512, Buffers = 2048 }, TestContext.Current.CancellationToken);
        Assert.Equal(offloads, nic.Grant.Features & All);
        return nic;
    }

    // Each datagram comes back as two.
    private static async Task EchoAsync(UdpSocket socket)
    {
        byte[] buffer = new byte[2048];
        while (true)
        {
            (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
            _ = await socket.SendSegmentsToAsync(buffer.AsMemory(0, length), (length / 2) + 1, from);
        }
    }

    private static Task ExchangeAsync(Reactor reactor, UdpEndPoint peer) => reactor.RunAsync(async () =>
    {
        using var socket = new UdpSocket(0, receiveQueueLength: 512);
        var random = new Random(peer.Port);
        byte[] buffer = new byte[2048];

        // One at first: only a few datagrams wait for a neighbour's hardware address, on either side.
        _ = await socket.SendSegmentsToAsync("x"u8.ToArray(), 1, peer);
        _ = await socket.ReceiveFromAsync(buffer);
        foreach ((int length, int segmentSize) in s_sizes)
        {
            byte[] payload = new byte[length];
            random.NextBytes(payload);
            Assert.Equal(length, await socket.SendSegmentsToAsync(payload, segmentSize, peer));
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            int received = 0;
            do
            {
                (int part, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                Assert.Equal(peer, from);
                hash.AppendData(buffer, 0, part);
                received += part;
            }
            while (received < length);
            Assert.Equal(length, received);
            Assert.Equal(SHA256.HashData(payload), hash.GetHashAndReset());
        }
    }).WaitAsync(DaemonProcess.Patience, TestContext.Current.CancellationToken);

    private static void AllRight(NicBinding nic) =>
        Assert.Equal(0, nic.Counters[Wire.Frames.FrameError.UdpChecksumWrong] + nic.Counters[DropReason.SocketQueueFull] + nic.Counters[DropReason.NoBuffer]);
}
