using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Reactors;

/// <summary>Sleeping, and what ends it.</summary>
public sealed class WakeUpTests
{
    [Fact]
    public async Task No_post_is_forgotten_whenever_it_comes()
    {
        await using var bench = new SocketBench();
        var random = new Random(1);
        for (int round = 0; round < 3000; round++)
        {
            // Around the time at which the reactor goes to sleep, 200 µs after the last work.
            await bench.InvokeAsync(() => 0);
            Thread.SpinWait(random.Next(20_000));
        }
    }

    [Fact]
    public async Task No_post_of_many_threads_is_forgotten()
    {
        const int Threads = 4;
        const int Posts = 20_000;
        await using var bench = new SocketBench();
        SynchronizationContext context = await bench.InvokeAsync(() => SynchronizationContext.Current!);
        int ran = 0;
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(seed => Task.Run(
            () =>
            {
                var random = new Random(seed);
                for (int i = 0; i < Posts; i++)
                {
                    context.Post(
                        _ =>
                        {
                            if (++ran == Threads * Posts)
                            {
                                all.SetResult();
                            }
                        },
                        null);
                    Thread.SpinWait(random.Next(200));
                }
            },
            TestContext.Current.CancellationToken)));
        await all.Task.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task An_idle_reactor_asks_the_device_for_an_event_sleeps_and_is_woken_by_it()
    {
        await using var bench = new SocketBench();
        Task server = bench.RunAsync(async () =>
        {
            using var socket = new UdpSocket(7);
            var buffer = new byte[10];
            for (int i = 0; i < 100; i++)
            {
                (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                await socket.SendToAsync(buffer.AsMemory(0, length), from);
            }
        });
        await bench.InvokeAsync(() => 0);
        for (byte i = 0; i < 100; i++)
        {
            SocketBench.WaitUntil(() => bench.Device.ToDriver.DriverWantsEvent, "the reactor sleeps");
            bench.Device.Deliver(TestFrames.Udp(1, 7, [i]));
            Assert.Equal([i], TestFrames.ReadUdp(bench.Device.TakeSentIp()).Payload);
        }

        await server;
    }

    [Fact]
    public async Task A_spinning_reactor_never_asks_for_an_event()
    {
        await using var bench = new SocketBench(IdlePolicy.Spin);
        for (int i = 0; i < 300; i++)
        {
            await bench.InvokeAsync(() => 0);
            Assert.False(bench.Device.ToDriver.DriverWantsEvent);
            Assert.False(bench.Device.FromDriver.DriverWantsEvent);
        }
    }

    [Fact]
    public async Task A_sleeper_notices_the_status_page_without_an_event()
    {
        await using var bench = new SocketBench();
        SocketBench.WaitUntil(() => bench.Device.ToDriver.DriverWantsEvent, "the reactor sleeps");
        while (bench.Device.TryTakeSent() is not null)
        {
        }

        bench.Device.SetLink(true, 5);
        Assert.True(TestFrames.IsArp(bench.Device.TakeSent())); // It announces itself on the new link.
    }

    [Fact]
    public async Task A_reactor_that_sleeps_is_disposed_at_once()
    {
        for (int round = 0; round < 20; round++)
        {
            await using var bench = new SocketBench();
            SocketBench.WaitUntil(() => bench.Device.ToDriver.DriverWantsEvent, "the reactor sleeps");
            bench.Reactor.Dispose();
            Assert.False(bench.Device.ToDriver.DriverWantsEvent);
        }
    }
}
