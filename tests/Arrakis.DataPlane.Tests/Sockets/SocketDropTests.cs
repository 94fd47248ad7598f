using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Sockets;

/// <summary>Good datagrams that no socket takes.</summary>
public sealed class SocketDropTests
{
    [Fact]
    public async Task A_datagram_to_a_port_without_a_socket_is_counted_as_UdpPortUnreachable()
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        bench.Device.Deliver(TestFrames.Udp(1, 8, "x"u8));
        await bench.SettleAsync();
        Assert.Equal(1, bench.Nic.Counters[DropReason.UdpPortUnreachable]);
        Assert.Equal(0, bench.Nic.Counters.DatagramsDelivered);
        Assert.Equal(0, socket.DroppedDatagrams);
    }

    [Fact]
    public async Task A_full_queue_keeps_the_oldest_and_counts_the_rest_as_SocketQueueFull()
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7, receiveQueueLength: 4));
        for (byte i = 0; i < 10; i++)
        {
            bench.Device.Deliver(TestFrames.Udp(1, 7, [i]));
        }

        await bench.SettleAsync();
        Assert.Equal(6, bench.Nic.Counters[DropReason.SocketQueueFull]);
        Assert.Equal(6, socket.DroppedDatagrams);
        Assert.Equal(4, bench.Nic.Counters.DatagramsDelivered);
        await bench.RunAsync(async () =>
        {
            var buffer = new byte[10];
            for (byte i = 0; i < 4; i++)
            {
                ValueTask<UdpReceiveFromResult> task = socket.ReceiveFromAsync(buffer);
                Assert.True(task.IsCompletedSuccessfully);
                Assert.Equal(new UdpReceiveFromResult(1, new UdpEndPoint(TestFrames.PeerAddress, 1)), await task);
                Assert.Equal(i, buffer[0]);
            }

            Assert.False(socket.ReceiveFromAsync(buffer).IsCompleted);
        });
    }

    [Fact]
    public async Task Sockets_that_nobody_reads_leave_buffers_to_send_with_and_what_finds_none_is_counted_as_NoBuffer()
    {
        const int QueueSize = 16;
        await using var bench = new SocketBench(queueSize: QueueSize, buffers: QueueSize + 20);
        UdpSocket idle = await bench.InvokeAsync(() => new UdpSocket(7));
        for (int i = 0; i < 100; i++)
        {
            bench.Device.Deliver(TestFrames.Udp(1, 7, "x"u8));
        }

        await bench.SettleAsync();
        Assert.Equal(bench.Nic.Counters[DropReason.NoBuffer], idle.DroppedDatagrams);
        Assert.Equal(100, bench.Nic.Counters[DropReason.NoBuffer] + bench.Nic.Counters.DatagramsDelivered);
        Assert.NotEqual(0, bench.Nic.Counters[DropReason.NoBuffer]);

        // An echo on another port still works, as often as one likes.
        Task server = bench.RunAsync(async () =>
        {
            using var echo = new UdpSocket(8);
            var buffer = new byte[2000];
            for (int i = 0; i < 100; i++)
            {
                (int length, UdpEndPoint from) = await echo.ReceiveFromAsync(buffer);
                await echo.SendToAsync(buffer.AsMemory(0, length), from);
            }
        });
        await bench.InvokeAsync(() => 0);
        for (int i = 0; i < 100; i++)
        {
            bench.Device.Deliver(TestFrames.Udp(1, 8, new byte[1000]));
            Assert.Equal(1000, TestFrames.ReadUdp(bench.Device.TakeSentIp()).Payload.Length);
        }

        await server;
    }

    [Fact]
    public async Task A_disposed_socket_gives_the_buffers_of_its_queue_back()
    {
        const int QueueSize = 16;
        await using var bench = new SocketBench(queueSize: QueueSize, buffers: QueueSize + 40);
        for (int round = 0; round < 30; round++)
        {
            UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
            for (int i = 0; i < 20; i++)
            {
                bench.Device.Deliver(TestFrames.Udp(1, 7, "x"u8));
            }

            await bench.SettleAsync();
            Assert.Equal(0, socket.DroppedDatagrams);
            socket.Dispose();
            await bench.InvokeAsync(() => 0);
        }
    }
}
