using System.Net.Sockets;
using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Sockets;

/// <summary>Cancellation and disposal of sockets.</summary>
public sealed class UdpSocketEndTests
{
    private static readonly UdpEndPoint s_peer = new(TestFrames.PeerAddress, 9);

    [Fact]
    public async Task A_call_that_is_cancelled_before_does_nothing()
    {
        await using var bench = new SocketBench();
        await bench.RunAsync(async () =>
        {
            var socket = new UdpSocket(7);
            var cancelled = new CancellationToken(canceled: true);
            Assert.True(socket.ReceiveFromAsync(new byte[1], cancelled).IsCanceled);
            Assert.True(socket.SendToAsync(new byte[1], s_peer, cancelled).IsCanceled);
            OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => socket.ReceiveFromAsync(new byte[1], cancelled).AsTask());
            Assert.Equal(cancelled, error.CancellationToken);
        });
        await bench.InvokeAsync(() => 0);
        Assert.InRange(bench.Nic.Counters.FramesSent, 0, 1); // The announcement.
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_receive_is_cancelled_while_it_waits_and_loses_no_datagram(bool fromReactor)
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        for (int round = 0; round < 200; round++)
        {
            using var stop = new CancellationTokenSource();
            Task<UdpReceiveFromResult> receive = await bench.InvokeAsync(() => socket.ReceiveFromAsync(new byte[1], stop.Token).AsTask());
            if (fromReactor)
            {
                await bench.InvokeAsync(() =>
                {
                    stop.Cancel();
                    return 0;
                });
            }
            else
            {
                await stop.CancelAsync();
            }

            OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
            Assert.Equal(stop.Token, error.CancellationToken);
        }

        bench.Device.Deliver(TestFrames.Udp(1, 7, "kept"u8));
        await bench.RunAsync(async () => Assert.Equal(4, (await socket.ReceiveFromAsync(new byte[9])).ReceivedBytes));
    }

    [Fact]
    public async Task A_cancellation_after_the_end_does_not_hit_the_next_use()
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        for (int round = 0; round < 100; round++)
        {
            using var late = new CancellationTokenSource();
            var received = new TaskCompletionSource();
            Task<UdpReceiveFromResult> next = null!;
            Task first = bench.RunAsync(async () =>
            {
                await socket.ReceiveFromAsync(new byte[9], late.Token);
                next = socket.ReceiveFromAsync(new byte[9]).AsTask();
                received.SetResult();
            });
            await bench.InvokeAsync(() => 0);
            bench.Device.Deliver(TestFrames.Udp(1, 7, "1"u8));
            await received.Task.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
            await late.CancelAsync();
            await first;
            await bench.InvokeAsync(() => 0);
            Assert.False(next.IsCompleted);
            bench.Device.Deliver(TestFrames.Udp(1, 7, "22"u8));
            Assert.Equal(2, (await next.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken)).ReceivedBytes);
        }
    }

    [Fact]
    public async Task A_cancellation_that_races_with_a_datagram_ends_in_one_of_the_two()
    {
        await using var bench = new SocketBench(IdlePolicy.Spin);
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        int sent = 0;
        int received = 0;
        for (int round = 0; round < 2000; round++)
        {
            using var stop = new CancellationTokenSource();
            Task<UdpReceiveFromResult> receive = await bench.InvokeAsync(() => socket.ReceiveFromAsync(new byte[1], stop.Token).AsTask());
            bench.Device.Deliver(TestFrames.Udp(1, 7, "x"u8));
            sent++;
            await stop.CancelAsync();
            try
            {
                await receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
                received++;
            }
            catch (OperationCanceledException)
            {
                await bench.RunAsync(async () => await socket.ReceiveFromAsync(new byte[1]));
                received++;
            }
        }

        Assert.Equal(sent, received);
    }

    [Fact]
    public async Task A_send_is_cancelled_while_it_waits_for_room()
    {
        const int QueueSize = 16;
        await using var bench = new SocketBench(queueSize: QueueSize, buffers: 64);
        using var stop = new CancellationTokenSource();
        Task<int> send = await bench.InvokeAsync(() =>
        {
            var socket = new UdpSocket(7) { EnableBroadcast = true };
            var all = new UdpEndPoint(Wire.Ipv4Address.Broadcast, 9);
            ValueTask<int> last;
            do
            {
                last = socket.SendToAsync(new byte[1], all, stop.Token);
            }
            while (last.IsCompleted);
            return last.AsTask();
        });
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => send.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_disposed_socket_aborts_who_waits_frees_its_port_and_refuses_calls(bool onReactor)
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        Task<UdpReceiveFromResult> receive = await bench.InvokeAsync(() => socket.ReceiveFromAsync(new byte[1]).AsTask());
        if (onReactor)
        {
            await bench.InvokeAsync(() =>
            {
                socket.Dispose();
                return 0;
            });
        }
        else
        {
            socket.Dispose();
        }

        socket.Dispose();
        SocketException error = await Assert.ThrowsAsync<SocketException>(() => receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        Assert.Equal(SocketError.OperationAborted, error.SocketErrorCode);
        await bench.RunAsync(async () =>
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await socket.ReceiveFromAsync(new byte[1]));
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await socket.SendToAsync(new byte[1], s_peer));
            new UdpSocket(7).Dispose();
        });
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await socket.ReceiveFromAsync(new byte[1], TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await socket.SendToAsync(new byte[1], s_peer, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_end_of_the_reactor_aborts_who_waits()
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        Task<UdpReceiveFromResult> receive = await bench.InvokeAsync(() => socket.ReceiveFromAsync(new byte[1]).AsTask());
        bench.Reactor.Dispose();
        Assert.Equal(SocketError.OperationAborted, (await Assert.ThrowsAsync<SocketException>(() => receive)).SocketErrorCode);
        Assert.Equal(
            SocketError.OperationAborted,
            (await Assert.ThrowsAsync<SocketException>(async () => await socket.ReceiveFromAsync(new byte[1], TestContext.Current.CancellationToken))).SocketErrorCode);
        socket.Dispose();
        Assert.Throws<SocketException>(() => new UdpSocket(bench.Reactor, 9));
    }

    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task The_end_of_the_binding_aborts_who_waits_also_while_the_reactor_sleeps(IdlePolicy idle)
    {
        await using var bench = new SocketBench(idle);
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        Task<UdpReceiveFromResult> receive = await bench.InvokeAsync(() => socket.ReceiveFromAsync(new byte[1]).AsTask());
        if (idle == IdlePolicy.Adaptive)
        {
            SocketBench.WaitUntil(() => bench.Device.ToDriver.DriverWantsEvent, "the reactor sleeps");
        }

        await bench.Nic.DisposeAsync();
        SocketException error = await Assert.ThrowsAsync<SocketException>(() => receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        Assert.Equal(SocketError.OperationAborted, error.SocketErrorCode);

        // The reactor itself goes on: what runs on it hears of the end by its calls.
        await bench.RunAsync(async () =>
        {
            await Reactor.Delay(TimeSpan.Zero);
            error = await Assert.ThrowsAsync<SocketException>(async () => await socket.ReceiveFromAsync(new byte[1]));
            Assert.Equal(SocketError.OperationAborted, error.SocketErrorCode);
        });
    }

    [Fact]
    public async Task Code_on_the_reactor_may_end_socket_binding_and_reactor()
    {
        await using var bench = new SocketBench();
        await bench.RunAsync(async () =>
        {
            var socket = new UdpSocket(7);
            Task<UdpReceiveFromResult> receive = socket.ReceiveFromAsync(new byte[1]).AsTask();
            await bench.Nic.DisposeAsync();
            Assert.Same(bench.Reactor, Reactor.Current);
            await Assert.ThrowsAsync<SocketException>(() => receive);
            socket.Dispose();
            bench.Reactor.Dispose();
        });
    }
}
