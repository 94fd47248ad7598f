using System.Net.Sockets;
using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Sockets;

/// <summary>Ports, and sockets that are used from other threads than their reactor's.</summary>
public sealed class UdpSocketThreadTests
{
    [Fact]
    public async Task A_port_that_is_taken_is_refused_until_it_is_free()
    {
        await using var bench = new SocketBench();
        await bench.InvokeAsync(() =>
        {
            using (new UdpSocket(7))
            {
                Assert.Equal(SocketError.AddressAlreadyInUse, Assert.Throws<SocketException>(() => new UdpSocket(7)).SocketErrorCode);
            }

            new UdpSocket(7).Dispose();
            return 0;
        });
    }

    [Fact]
    public async Task Port_zero_takes_free_ephemeral_ports_until_there_is_none()
    {
        await using var bench = new SocketBench();
        await bench.InvokeAsync(() =>
        {
            var ports = new HashSet<int>();
            for (int i = 49152; i <= 65535; i++)
            {
                UdpSocket socket = new(port: 0, receiveQueueLength: 1);
                Assert.InRange(socket.LocalEndPoint.Port, 49152, 65535);
                Assert.Equal(TestFrames.OwnAddress, socket.LocalEndPoint.Address);
                Assert.True(ports.Add(socket.LocalEndPoint.Port));
            }

            Assert.Equal(SocketError.AddressAlreadyInUse, Assert.Throws<SocketException>(() => new UdpSocket()).SocketErrorCode);
            new UdpSocket(7).Dispose();
            return 0;
        });
    }

    [Fact]
    public void A_socket_needs_a_reactor() => Assert.Throws<InvalidOperationException>(() => new UdpSocket(7));

    [Fact]
    public async Task A_queue_of_no_length_is_refused()
    {
        await using var bench = new SocketBench();
        Assert.Throws<ArgumentOutOfRangeException>(() => new UdpSocket(bench.Reactor, 7, receiveQueueLength: 0));
        new UdpSocket(bench.Reactor, 7).Dispose();
    }

    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task Calls_from_other_threads_go_by_way_of_the_reactor_and_resume_elsewhere(IdlePolicy idle)
    {
        await using var bench = new SocketBench(idle);
        using var socket = new UdpSocket(bench.Reactor, 7);
        var buffer = new byte[100];
        for (byte i = 0; i < 200; i++)
        {
            Task<UdpReceiveFromResult> receive = socket.ReceiveFromAsync(buffer, TestContext.Current.CancellationToken).AsTask();
            bench.Device.Deliver(TestFrames.Udp(5, 7, [i]));
            (int length, UdpEndPoint from) = await receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
            Assert.Null(Reactor.Current);
            Task<int> send = socket.SendToAsync(buffer.AsMemory(0, length), from, TestContext.Current.CancellationToken).AsTask();
            Assert.Equal([i], TestFrames.ReadUdp(bench.Device.TakeSentIp()).Payload);
            Assert.Equal(1, await send.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task Many_threads_bind_receive_and_dispose_at_once()
    {
        await using var bench = new SocketBench();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(t => Task.Run(
            async () =>
            {
                for (int i = 0; i < 200; i++)
                {
                    var socket = new UdpSocket(bench.Reactor, (ushort)(100 + t));
                    Task<UdpReceiveFromResult> receive = socket.ReceiveFromAsync(new byte[1], TestContext.Current.CancellationToken).AsTask();
                    socket.Dispose();
                    await Assert.ThrowsAnyAsync<Exception>(() => receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
                    await bench.InvokeAsync(() => 0); // The port is free when the reactor has seen the disposal.
                }
            },
            TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task A_wait_from_another_thread_is_cancelled()
    {
        await using var bench = new SocketBench();
        using var socket = new UdpSocket(bench.Reactor, 7);
        using var stop = new CancellationTokenSource();
        Task<UdpReceiveFromResult> receive = socket.ReceiveFromAsync(new byte[1], stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
    }
}
