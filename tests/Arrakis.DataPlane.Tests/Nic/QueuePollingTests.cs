using Arrakis.Contract;
using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>Several queues of one binding, each polled by a thread of its own: function, revocation, end.</summary>
public sealed class QueuePollingTests
{
    private const int Pairs = 4;

    [Fact]
    public async Task Each_thread_gets_the_flows_of_its_queue_and_answers_them()
    {
        using var device = new TestDevice(pairs: Pairs, queueSize: 64, buffers: 256);
        await using NicBinding nic = device.Bind();
        using var stop = new CancellationTokenSource();
        Task[] pollers = Poll(nic, IdlePolicy.Adaptive, stop.Token);
        int answers = 0;
        for (int round = 0; round < 50; round++)
        {
            for (ushort flow = 1; flow <= 40; flow++)
            {
                device.Deliver(TestFrames.Udp(flow, 7, [(byte)round]));
            }

            int expected = (round + 1) * 40;
            SocketBench.WaitUntil(() => (answers += Take(device)) == expected, "all echoes return");
        }

        await stop.CancelAsync();
        await Task.WhenAll(pollers).WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(2000, nic.Counters.FramesReceived);
        Assert.All(nic.Queues, static queue => Assert.True(queue.Counters.FramesSent > 0));
    }

    [Fact]
    public async Task A_binding_with_several_queues_says_that_each_is_to_be_polled()
    {
        using var device = new TestDevice(pairs: 2);
        await using NicBinding nic = device.Bind();
        Action[] calls =
        [
            () => nic.PollOnce(NativeEchoTests.Echo),
            () => nic.Poll(new PollOptions(), NativeEchoTests.Echo, TestContext.Current.CancellationToken),
            () => nic.Poll(0, NativeEchoTests.Echo, TestContext.Current.CancellationToken),
            () => Reactor.Start(nic),
        ];
        Assert.All(calls, static call => Assert.Contains("NicBinding.Queues", Assert.Throws<InvalidOperationException>(call).Message, StringComparison.Ordinal));
        using Reactor reactor = Reactor.Start(nic.Queues[1]);
        Assert.Same(nic.Queues[1], reactor.Queue);
        Assert.Same(nic, reactor.Nic);
        Assert.Throws<InvalidOperationException>(() => nic.Queues[1].PollOnce(NativeEchoTests.Echo));
        Assert.Throws<InvalidOperationException>(() => Reactor.Start(nic.Queues[1]));
        Assert.Equal(0, nic.Queues[0].PollOnce(NativeEchoTests.Echo));
    }

    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task Disposal_at_any_moment_waits_for_the_pollers_of_all_queues(IdlePolicy idle)
    {
        for (int round = 0; round < 40; round++)
        {
            using var device = new TestDevice(queueSize: 16, buffers: 64, pairs: Pairs);
            NicBinding nic = device.Bind();
            Task[] pollers = Poll(nic, idle, CancellationToken.None);
            for (ushort flow = 1; flow < round; flow++)
            {
                byte[] frame = TestFrames.Udp(flow, 7, "x"u8);
                _ = device.TryDeliver(frame, device.QueueOf(frame));
                _ = Take(device);
            }

            await nic.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
            Assert.Equal(1, device.Released);
            foreach (Task poller in pollers)
            {
                await Assert.ThrowsAsync<ObjectDisposedException>(() => poller.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
            }
        }
    }

    [Fact]
    public async Task A_handler_of_one_queue_that_disposes_the_binding_lets_that_of_another_work_to_its_end()
    {
        using var device = new TestDevice(pairs: 2);
        NicBinding nic = device.Bind();
        using var inside = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        Assert.True(device.TryDeliver(TestFrames.Udp(1, 7, "a"u8), 0));
        Assert.True(device.TryDeliver(TestFrames.Udp(1, 7, "b"u8), 1));
        Task other = Task.Run(() => nic.Queues[1].PollOnce((received, transmit) =>
        {
            inside.Set();
            Assert.True(go.Wait(TestDevice.Deadline, TestContext.Current.CancellationToken));
            NativeEchoTests.Echo(received, transmit); // The memory is still there.
        }));
        Assert.True(inside.Wait(TestDevice.Deadline, TestContext.Current.CancellationToken));
        Task? disposal = null;
        _ = nic.Queues[0].PollOnce((_, _) => disposal = nic.DisposeAsync().AsTask());
        Assert.Throws<ObjectDisposedException>(() => nic.Queues[0].PollOnce(NativeEchoTests.Echo));
        Assert.Equal((0, false), (device.Released, disposal!.IsCompleted));
        go.Set();
        await other.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        await disposal.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(1, device.Released);
        Assert.NotNull(device.TryTakeSent(1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_revocation_reaches_every_poller(bool truncates)
    {
        using var device = new TestDevice(pairs: Pairs, queueSize: 64, buffers: 256);
        await using NicBinding nic = device.Bind();
        Task[] pollers = Poll(nic, IdlePolicy.Adaptive, CancellationToken.None);
        device.Record(0, new RepossessionEntry(ResourceKind.QueuePairs, 0, Pairs, 5));
        if (truncates)
        {
            device.Memory.Truncate(0);
        }

        device.SetState(BindingState.Revoked);
        foreach (Task poller in pollers)
        {
            BindingRevokedException e = await Assert.ThrowsAsync<BindingRevokedException>(() => poller.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
            Assert.Equal(BindingState.Revoked, e.State);
        }
    }

    [Fact]
    public async Task A_visible_revocation_asks_once_though_every_poller_sees_it()
    {
        using var device = new TestDevice(pairs: Pairs);
        int asked = 0;
        var disposed = new TaskCompletionSource();
        NicBinding nic = device.Bind(async (request, binding) =>
        {
            _ = Interlocked.Increment(ref asked);
            await binding.DisposeAsync();
            _ = disposed.TrySetResult();
        });
        Reactor[] reactors = [.. nic.Queues.Select(static queue => Reactor.Start(queue))];
        device.AskBack(ResourceKind.VirtualFunction, 1, 99);
        await disposed.Task.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        foreach (Reactor reactor in reactors)
        {
            reactor.Dispose();
        }

        Assert.Equal((1, 1), (asked, device.Released));
    }

    [Fact]
    public async Task A_queue_takes_no_buffers_of_its_neighbours()
    {
        using var device = new TestDevice(pairs: 2, queueSize: 16, buffers: 20);
        await using NicBinding nic = device.Bind();
        Assert.All(nic.Queues, static queue => Assert.Equal(20, queue.Pool.Count));
        Assert.True(device.TryDeliver(TestFrames.Udp(1, 7, "x"u8), 1));
        _ = nic.Queues[1].PollOnce((_, transmit) =>
        {
            // All that are not in the receive ring: 20 - 16.
            int rented = 0;
            while (transmit.TryRent(100, out Packet packet))
            {
                packet.Frame.Fill(0xEE);
                rented++;
            }

            Assert.Equal(4, rented);
        });
        Assert.True(device.TryDeliver(TestFrames.Udp(1, 7, "y"u8), 0));
        Assert.Equal(1, nic.Queues[0].PollOnce(static (received, _) =>
        {
            foreach (Packet packet in received)
            {
                Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
                Assert.True(datagram.Payload.SequenceEqual("y"u8));
            }
        }));
    }

    private static Task[] Poll(NicBinding nic, IdlePolicy idle, CancellationToken cancellation) =>
    [
        .. nic.Queues.Select(queue => Task.Factory.StartNew(
            () => queue.Poll(new PollOptions { Idle = idle }, NativeEchoTests.TryEcho, cancellation),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)),
    ];

    // Datagrams; announcements are not counted.
    private static int Take(TestDevice device)
    {
        int count = 0;
        for (int pair = 0; pair < Pairs; pair++)
        {
            while (device.TryTakeSent(pair) is { } frame)
            {
                count += TestFrames.IsArp(frame) ? 0 : 1;
            }
        }

        return count;
    }
}
