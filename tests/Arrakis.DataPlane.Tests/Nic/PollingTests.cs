using Arrakis.DataPlane.Tests.Device;
using Arrakis.Native.Threads;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>Who may poll, and how polling ends.</summary>
public sealed class PollingTests
{
    [Fact]
    public async Task A_handler_may_not_poll()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        device.Deliver(TestFrames.Udp(1, 7, "x"u8));
        int refused = 0;
        _ = nic.PollOnce((_, _) =>
        {
            Assert.Throws<InvalidOperationException>(() => nic.PollOnce(NativeEchoTests.Echo));
            Assert.Throws<InvalidOperationException>(() => nic.Poll(new PollOptions(), NativeEchoTests.Echo, TestContext.Current.CancellationToken));
            Assert.Throws<InvalidOperationException>(() => Reactor.Start(nic));
            refused++;
        });
        Assert.Equal(1, refused);
        AssertAlive(device, nic);
    }

    [Fact]
    public async Task A_second_thread_may_not_poll()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        device.Deliver(TestFrames.Udp(1, 7, "x"u8));
        _ = nic.PollOnce((_, _) =>
        {
            Exception? error = null;
            var other = new Thread(() => error = Record.Exception(() => nic.PollOnce(NativeEchoTests.Echo)));
            other.Start();
            other.Join();
            Assert.IsType<InvalidOperationException>(error);
        });
        AssertAlive(device, nic);
    }

    [Fact]
    public async Task Nobody_polls_beside_a_reactor_and_the_reactor_goes_on()
    {
        await using var bench = new SocketBench();
        Assert.Throws<InvalidOperationException>(() => bench.Nic.PollOnce(NativeEchoTests.Echo));
        Assert.Throws<InvalidOperationException>(() => bench.Nic.Poll(new PollOptions(), NativeEchoTests.Echo, TestContext.Current.CancellationToken));
        Assert.Throws<InvalidOperationException>(() => Reactor.Start(bench.Nic));
        await bench.InvokeAsync(() => Assert.Throws<InvalidOperationException>(() => bench.Nic.PollOnce(NativeEchoTests.Echo)));
        bench.Reactor.Dispose();
        AssertAlive(bench.Device, bench.Nic);
    }

    [Fact]
    public async Task A_reactor_that_did_not_start_leaves_the_binding_to_others()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        Assert.Throws<Native.LinuxException>(() => Reactor.Start(nic, core: 1000));
        AssertAlive(device, nic);
    }

    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task Poll_serves_until_it_is_cancelled_also_while_it_sleeps(IdlePolicy idle)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        using var stop = new CancellationTokenSource();
        Task poller = Task.Factory.StartNew(
            () => nic.Poll(new PollOptions { Idle = idle }, NativeEchoTests.Echo, stop.Token),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        for (int i = 0; i < 100; i++)
        {
            device.Deliver(TestFrames.Udp(1, 7, [(byte)i]));
            Assert.Equal([(byte)i], TestFrames.ReadUdp(device.TakeSentIp()).Payload);
            if (i % 20 == 0 && idle == IdlePolicy.Adaptive)
            {
                SocketBench.WaitUntil(() => device.ToDriver.DriverWantsEvent, "the poller sleeps");
            }
        }

        if (idle == IdlePolicy.Adaptive)
        {
            SocketBench.WaitUntil(() => device.ToDriver.DriverWantsEvent, "the poller sleeps");
        }

        await stop.CancelAsync();
        await poller.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        AssertAlive(device, nic);
    }

    [Fact]
    public async Task Poll_that_is_cancelled_before_returns_at_once()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        device.Deliver(TestFrames.Udp(1, 7, "x"u8));
        nic.Poll(new PollOptions(), static (_, _) => Assert.Fail("polled"), new CancellationToken(canceled: true));
    }

    [Fact]
    public async Task Poll_keeps_its_thread_on_the_core_and_gives_the_others_back()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        IReadOnlyList<int> before = PinnedThread.AllowedCores();
        int core = before[^1];
        using var stop = new CancellationTokenSource();
        IReadOnlyList<int> during = [];
        device.Deliver(TestFrames.Udp(1, 7, "x"u8));
        nic.Poll(
            core,
            (_, _) =>
            {
                during = PinnedThread.AllowedCores();
                stop.Cancel();
            },
            stop.Token);
        Assert.Equal([core], during);
        Assert.Equal(before, PinnedThread.AllowedCores());
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(100_000)]
    public async Task A_core_that_does_not_exist_is_refused(int core)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        IReadOnlyList<int> before = PinnedThread.AllowedCores();
        Assert.Throws<Native.LinuxException>(() => nic.Poll(core, NativeEchoTests.Echo, TestContext.Current.CancellationToken));
        Assert.Equal(before, PinnedThread.AllowedCores());
        AssertAlive(device, nic);
    }

    internal static void AssertAlive(TestDevice device, NicBinding nic)
    {
        device.Deliver(TestFrames.Udp(1, 7, "alive"u8));
        Assert.Equal(1, nic.PollOnce(NativeEchoTests.Echo));
        while (true)
        {
            if (TestFrames.ReadUdp(device.TakeSentIp()).Payload is [.., (byte)'e'])
            {
                return;
            }
        }
    }
}
