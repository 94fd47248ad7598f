using System.Net;
using System.Net.Sockets;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire;

namespace Arrakis.DataPlane.Tests.Sockets;

public sealed class UdpSocketSendTests
{
    private static readonly UdpEndPoint s_peer = new(TestFrames.PeerAddress, 9);

    [Theory]
    [InlineData("10.7.0.9", 9, 1473, SocketError.MessageSize)]
    [InlineData("10.7.0.9", 0, 1, SocketError.InvalidArgument)]
    [InlineData("10.8.0.1", 9, 1, SocketError.NetworkUnreachable)]
    [InlineData("10.7.0.2", 9, 1, SocketError.NetworkUnreachable)]
    [InlineData("224.0.0.1", 9, 1, SocketError.NetworkUnreachable)]
    [InlineData("127.0.0.1", 9, 1, SocketError.NetworkUnreachable)]
    [InlineData("0.0.0.0", 9, 1, SocketError.NetworkUnreachable)]
    [InlineData("10.7.0.255", 9, 1, SocketError.AccessDenied)]
    [InlineData("255.255.255.255", 9, 1, SocketError.AccessDenied)]
    public async Task What_cannot_be_sent_has_the_error_that_a_kernel_socket_gives(string address, int port, int length, SocketError expected)
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        var destination = new UdpEndPoint(Ipv4Address.Parse(address), (ushort)port);
        SocketException onReactor = await Assert.ThrowsAsync<SocketException>(() => bench.RunAsync(async () => await socket.SendToAsync(new byte[length], destination)));
        SocketException elsewhere = await Assert.ThrowsAsync<SocketException>(
            () => socket.SendToAsync(new byte[length], destination, TestContext.Current.CancellationToken).AsTask());
        Assert.Equal(expected, onReactor.SocketErrorCode);
        Assert.Equal(expected, elsewhere.SocketErrorCode);
        Assert.NotEmpty(onReactor.Message);
    }

    [Theory]
    [InlineData("10.7.0.255")]
    [InlineData("255.255.255.255")]
    public async Task A_socket_that_may_sends_to_all(string address)
    {
        await using var bench = new SocketBench();
        await bench.RunAsync(async () =>
        {
            using var socket = new UdpSocket(7) { EnableBroadcast = true };
            Assert.Equal(3, await socket.SendToAsync("all"u8.ToArray(), new IPEndPoint(IPAddress.Parse(address), 9)));
        });
        byte[] frame = bench.Device.TakeSentIp();
        Assert.Equal(MacAddress.Broadcast, MacAddress.Read(frame));
        Assert.Equal("all"u8.ToArray(), TestFrames.ReadUdp(frame).Payload);
    }

    [Fact]
    public async Task Other_networks_are_reached_by_way_of_the_gateway()
    {
        await using var bench = new SocketBench(gateway: "10.7.0.1");
        await bench.RunAsync(async () => await new UdpSocket(7).SendToAsync("far"u8.ToArray(), new IPEndPoint(IPAddress.Parse("8.8.8.8"), 53)));
        while (true)
        {
            byte[] frame = bench.Device.TakeSent();
            if (TestFrames.IsArp(frame))
            {
                if (TestFrames.AnswerArp(frame) is { } answer)
                {
                    Assert.Equal("10.7.0.1", Ipv4Address.Read(frame.AsSpan(38)).ToString());
                    bench.Device.Deliver(answer);
                }

                continue;
            }

            Assert.Equal("8.8.8.8", Ipv4Address.Read(frame.AsSpan(30)).ToString());
            return;
        }
    }

    [Fact]
    public async Task An_IPv6_destination_is_an_argument_error()
    {
        await using var bench = new SocketBench();
        await bench.InvokeAsync(() =>
        {
            var socket = new UdpSocket(7);
            Assert.Throws<ArgumentException>(() => { _ = socket.SendToAsync(new byte[1], new IPEndPoint(IPAddress.IPv6Loopback, 9)).AsTask(); });
            return 0;
        });
    }

    [Fact]
    public async Task Sends_wait_for_room_and_go_in_order()
    {
        const int Count = 200;
        await using var bench = new SocketBench(queueSize: 16, buffers: 64);
        UdpSocket socket = await Resolve(bench);
        var completed = new List<int>();
        Task senders = bench.RunAsync(() => Task.WhenAll(Enumerable.Range(0, Count).Select(async i =>
        {
            Assert.Equal(1, await socket.SendToAsync(new[] { (byte)i }, s_peer));
            completed.Add(i);
        })));
        for (int i = 0; i < Count; i++)
        {
            Assert.Equal([(byte)i], TestFrames.ReadUdp(bench.Device.TakeSentIp()).Payload);
        }

        await senders;
        Assert.Equal(Enumerable.Range(0, Count), completed);
    }

    [Fact]
    public async Task A_full_ring_blocks_one_send_until_the_device_has_sent_another()
    {
        const int QueueSize = 16;
        await using var bench = new SocketBench(queueSize: QueueSize, buffers: 64);
        UdpSocket socket = await Resolve(bench);
        Task<int> waiting = await bench.InvokeAsync(() =>
        {
            for (int i = 0; i < QueueSize; i++)
            {
                Assert.True(socket.SendToAsync(new byte[1], s_peer).IsCompletedSuccessfully);
            }

            return socket.SendToAsync("waited"u8.ToArray(), s_peer).AsTask();
        });
        Assert.False(waiting.IsCompleted);
        SocketBench.WaitUntil(() => bench.Device.FromDriver.DriverWantsEvent, "the reactor sleeps, to be woken by room");
        for (int i = 0; i < QueueSize; i++)
        {
            Assert.Single(TestFrames.ReadUdp(bench.Device.TakeSentIp()).Payload);
        }

        Assert.Equal(6, await waiting.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        Assert.Equal("waited"u8.ToArray(), TestFrames.ReadUdp(bench.Device.TakeSentIp()).Payload);
    }

    [Fact]
    public async Task Disposing_one_socket_aborts_its_waiting_sends_and_leaves_the_others_in_order()
    {
        const int QueueSize = 16;
        await using var bench = new SocketBench(queueSize: QueueSize, buffers: 64);
        UdpSocket socket = await Resolve(bench);
        Task all = bench.RunAsync(async () =>
        {
            var other = new UdpSocket(8);
            for (int i = 0; i < QueueSize; i++)
            {
                await socket.SendToAsync(new byte[1], s_peer);
            }

            var tasks = new List<Task<int>>();
            for (byte i = 0; i < 6; i++)
            {
                tasks.Add((i % 2 == 0 ? socket : other).SendToAsync(new byte[] { i, i }, s_peer).AsTask());
            }

            other.Dispose();
            for (int i = 1; i < 6; i += 2)
            {
                SocketException error = await Assert.ThrowsAsync<SocketException>(() => tasks[i]);
                Assert.Equal(SocketError.OperationAborted, error.SocketErrorCode);
            }

            await Task.WhenAll(tasks[0], tasks[2], tasks[4]);
        });
        var sent = new List<byte>();
        while (sent.Count < 3)
        {
            if (TestFrames.ReadUdp(bench.Device.TakeSentIp()).Payload is [byte first, _])
            {
                sent.Add(first);
            }
        }

        await all;
        Assert.Equal([0, 2, 4], sent);
    }

    /// <summary>A socket whose peer is known, so that its datagrams go at once; the rings are empty.</summary>
    private static async Task<UdpSocket> Resolve(SocketBench bench)
    {
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        await bench.RunAsync(async () => await socket.SendToAsync("resolve"u8.ToArray(), s_peer));
        Assert.Equal("resolve"u8.ToArray(), TestFrames.ReadUdp(bench.Device.TakeSentIp()).Payload);
        return socket;
    }
}
