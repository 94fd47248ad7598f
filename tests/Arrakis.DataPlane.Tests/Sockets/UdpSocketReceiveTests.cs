using System.Net.Sockets;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire;

namespace Arrakis.DataPlane.Tests.Sockets;

public sealed class UdpSocketReceiveTests
{
    [Fact]
    public async Task Two_sockets_get_their_own_datagrams()
    {
        await using var bench = new SocketBench();
        (UdpSocket First, UdpSocket Second) sockets = await bench.InvokeAsync(() => (new UdpSocket(7), new UdpSocket(8)));
        bench.Device.Deliver(TestFrames.Udp(1, 8, "second"u8));
        bench.Device.Deliver(TestFrames.Udp(2, 7, "first"u8));
        await bench.SettleAsync();
        await bench.RunAsync(async () =>
        {
            var buffer = new byte[10];
            Assert.Equal(new UdpReceiveFromResult(5, new UdpEndPoint(TestFrames.PeerAddress, 2)), await sockets.First.ReceiveFromAsync(buffer));
            Assert.Equal("first"u8.ToArray(), buffer[..5]);
            Assert.Equal(new UdpReceiveFromResult(6, new UdpEndPoint(TestFrames.PeerAddress, 1)), await sockets.Second.ReceiveFromAsync(buffer));
            Assert.Equal("second"u8.ToArray(), buffer[..6]);
        });
    }

    [Fact]
    public async Task Receives_that_wait_are_served_in_their_order()
    {
        await using var bench = new SocketBench();
        var order = new List<(int Receive, byte Datagram)>();
        Task all = bench.RunAsync(async () =>
        {
            var socket = new UdpSocket(7);
            await Task.WhenAll(Enumerable.Range(0, 5).Select(i => Receive(socket, i)));
        });
        await bench.InvokeAsync(() => 0);
        for (byte i = 0; i < 5; i++)
        {
            bench.Device.Deliver(TestFrames.Udp(1, 7, [i]));
        }

        await all;
        Assert.Equal([(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)], order);

        async Task Receive(UdpSocket socket, int index)
        {
            var buffer = new byte[1];
            await socket.ReceiveFromAsync(buffer);
            order.Add((index, buffer[0]));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_buffer_that_is_too_small_gets_the_first_part_and_MessageSize(bool waiting)
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        var buffer = new byte[3];
        if (!waiting)
        {
            bench.Device.Deliver(TestFrames.Udp(1, 7, "12345"u8));
            await bench.SettleAsync();
        }

        Task receive = bench.RunAsync(async () =>
        {
            SocketException error = await Assert.ThrowsAsync<SocketException>(() => socket.ReceiveFromAsync(buffer).AsTask());
            Assert.Equal(SocketError.MessageSize, error.SocketErrorCode);
        });
        await bench.InvokeAsync(() => 0);
        if (waiting)
        {
            bench.Device.Deliver(TestFrames.Udp(1, 7, "12345"u8));
        }

        await receive;
        Assert.Equal("123"u8.ToArray(), buffer);
        bench.Device.Deliver(TestFrames.Udp(1, 7, "ok"u8));
        await bench.RunAsync(async () => Assert.Equal(2, (await socket.ReceiveFromAsync(buffer)).ReceivedBytes));
    }

    [Fact]
    public async Task An_empty_datagram_is_received_into_no_buffer()
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        bench.Device.Deliver(TestFrames.Udp(1, 7, []));
        await bench.RunAsync(async () => Assert.Equal(0, (await socket.ReceiveFromAsync(Memory<byte>.Empty)).ReceivedBytes));
    }

    [Theory]
    [InlineData("10.7.0.255")]
    [InlineData("255.255.255.255")]
    public async Task Datagrams_to_all_are_received(string destination)
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        bench.Device.Deliver(TestFrames.Udp(1, Ipv4Address.Parse(destination), 7, "all"u8).To(MacAddress.Broadcast));
        await bench.RunAsync(async () => Assert.Equal(3, (await socket.ReceiveFromAsync(new byte[9])).ReceivedBytes));
    }

    [Fact]
    public async Task Awaits_resume_on_the_reactors_thread_whatever_they_are_configured_to()
    {
        await using var bench = new SocketBench();
        Task server = bench.RunAsync(async () =>
        {
            int thread = Environment.CurrentManagedThreadId;
            var socket = new UdpSocket(7);
            await socket.ReceiveFromAsync(new byte[9]);
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
            await socket.ReceiveFromAsync(new byte[9]).ConfigureAwait(false);
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
            await socket.ReceiveFromAsync(new byte[9]).ConfigureAwait(true);
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
            Assert.Same(bench.Reactor, Reactor.Current);
        });
        await bench.InvokeAsync(() => 0);
        for (int i = 0; i < 3; i++)
        {
            bench.Device.Deliver(TestFrames.Udp(1, 7, "x"u8));
        }

        await server;
    }

    [Fact]
    public async Task Async_locals_flow_through_an_await()
    {
        await using var bench = new SocketBench();
        var local = new AsyncLocal<string>();
        Task server = bench.RunAsync(async () =>
        {
            local.Value = "mine";
            await new UdpSocket(7).ReceiveFromAsync(new byte[9]);
            Assert.Equal("mine", local.Value);
        });
        await bench.InvokeAsync(() => 0);
        bench.Device.Deliver(TestFrames.Udp(1, 7, "x"u8));
        await server;
    }

    [Fact]
    public async Task A_ValueTask_that_is_awaited_twice_is_refused_and_other_receives_are_unharmed()
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        Task misuse = bench.RunAsync(async () =>
        {
            ValueTask<UdpReceiveFromResult> task = socket.ReceiveFromAsync(new byte[9]);
            Assert.Equal(1, (await task).ReceivedBytes);
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await Again(task));
            ValueTask<UdpReceiveFromResult> next = socket.ReceiveFromAsync(new byte[9]); // The same operation, in its next use.
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await Again(task));
            Assert.Equal(2, (await next).ReceivedBytes);
        });
        await bench.InvokeAsync(() => 0);
        bench.Device.Deliver(TestFrames.Udp(1, 7, "1"u8));
        bench.Device.Deliver(TestFrames.Udp(1, 7, "22"u8));
        await misuse;

        static ValueTask<UdpReceiveFromResult> Again(ValueTask<UdpReceiveFromResult> task) => task;
    }

    [Fact]
    public async Task A_second_await_at_the_same_time_is_refused_and_the_first_goes_on()
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        Task first = Task.CompletedTask;
        await bench.InvokeAsync(() =>
        {
            ValueTask<UdpReceiveFromResult> task = socket.ReceiveFromAsync(new byte[9]);
            first = Await(task);
            Assert.Throws<InvalidOperationException>(() => task.GetAwaiter().OnCompleted(static () => Assert.Fail("went on")));
            return 0;
        });
        bench.Device.Deliver(TestFrames.Udp(1, 7, "1"u8));
        await first.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);

        static async Task Await(ValueTask<UdpReceiveFromResult> task) => Assert.Equal(1, (await task).ReceivedBytes);
    }

    [Fact]
    public async Task A_result_that_is_asked_for_too_early_is_refused()
    {
        await using var bench = new SocketBench();
        await bench.InvokeAsync(() =>
        {
            ValueTask<UdpReceiveFromResult> task = new UdpSocket(7).ReceiveFromAsync(new byte[9]);
            Assert.Throws<InvalidOperationException>(() => task.GetAwaiter().GetResult());
            return 0;
        });
    }
}
