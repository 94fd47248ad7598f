using Arrakis.DataPlane.Tests.Device;
using Microsoft.Extensions.Time.Testing;

namespace Arrakis.DataPlane.Tests.Reactors;

/// <summary>Reactor.Delay, in virtual time.</summary>
public sealed class DelayTests
{
    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task A_delay_ends_when_its_time_has_come_and_not_before(IdlePolicy idle)
    {
        var time = new FakeTimeProvider();
        await using var bench = new SocketBench(idle, time: time);
        var started = new TaskCompletionSource();
        Task delay = bench.RunAsync(async () =>
        {
            ValueTask waiting = Reactor.Delay(TimeSpan.FromSeconds(10));
            started.SetResult();
            await waiting;
            Assert.Same(bench.Reactor, Reactor.Current);
        });
        await started.Task;
        time.Advance(TimeSpan.FromSeconds(9.9));
        await Turn(bench);
        Assert.False(delay.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));
        await delay;
    }

    [Fact]
    public async Task Delays_end_in_the_order_of_their_deadlines()
    {
        var time = new FakeTimeProvider();
        await using var bench = new SocketBench(time: time);
        var order = new List<int>();
        Task all = bench.RunAsync(() => Task.WhenAll(new[] { 5, 1, 4, 2, 3 }.Select(async seconds =>
        {
            await Reactor.Delay(TimeSpan.FromSeconds(seconds));
            order.Add(seconds);
        })));
        await bench.InvokeAsync(() => 0);
        time.Advance(TimeSpan.FromSeconds(60));
        await all;
        Assert.Equal([1, 2, 3, 4, 5], order);
    }

    [Fact]
    public async Task A_delay_is_cancelled_before_while_it_waits_and_not_after()
    {
        var time = new FakeTimeProvider();
        await using var bench = new SocketBench(time: time);
        using var stop = new CancellationTokenSource();
        await bench.RunAsync(async () => await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await Reactor.Delay(TimeSpan.FromSeconds(1), new CancellationToken(canceled: true))));
        Task waiting = bench.RunAsync(async () => await Reactor.Delay(TimeSpan.FromSeconds(1), stop.Token));
        await bench.InvokeAsync(() => 0);
        await stop.CancelAsync();
        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal(stop.Token, error.CancellationToken);

        // A cancelled token's late callback does not end the next delay, which uses the same operation again.
        Task next = bench.RunAsync(async () => await Reactor.Delay(TimeSpan.FromSeconds(1)));
        await Turn(bench);
        Assert.False(next.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(2));
        await next;
    }

    [Fact]
    public async Task Code_that_waits_again_and_again_for_no_time_does_not_stop_the_rings()
    {
        var time = new FakeTimeProvider(); // Stands still: each of these delays is due at once.
        await using var bench = new SocketBench(IdlePolicy.Spin, time: time);
        bool stop = false;
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        Task yielding = bench.RunAsync(async () =>
        {
            while (!Volatile.Read(ref stop))
            {
                await Reactor.Delay(TimeSpan.Zero);
            }
        });
        bench.Device.Deliver(TestFrames.Udp(1, 7, "x"u8));
        await bench.RunAsync(async () => await socket.ReceiveFromAsync(new byte[9]));
        Volatile.Write(ref stop, true);
        await yielding;
    }

    [Fact]
    public async Task The_end_of_the_reactor_ends_delays()
    {
        await using var bench = new SocketBench(time: new FakeTimeProvider());
        Task waiting = bench.Reactor.RunAsync(async () => await Reactor.Delay(TimeSpan.FromDays(1)));
        await bench.InvokeAsync(() => 0);
        bench.Reactor.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Impossible_delays_are_refused_and_the_longest_is_not()
    {
        await using var bench = new SocketBench(time: new FakeTimeProvider());
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await Reactor.Delay(TimeSpan.Zero, TestContext.Current.CancellationToken));
        await bench.InvokeAsync(() =>
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => { _ = Reactor.Delay(TimeSpan.FromTicks(-1)).AsTask(); });
            Assert.False(Reactor.Delay(TimeSpan.MaxValue).IsCompleted);
            return 0;
        });
    }

    /// <summary>Lets the reactor read the clock at least once.</summary>
    private static async Task Turn(SocketBench bench)
    {
        for (int i = 0; i < 200; i++)
        {
            await bench.InvokeAsync(() => 0);
        }
    }
}
