using Arrakis.DataPlane.Tests.Device;
using Arrakis.Native.Threads;

namespace Arrakis.DataPlane.Tests.Reactors;

public sealed class RunTests
{
    [Fact]
    public async Task Results_exceptions_and_cancellations_come_back()
    {
        await using var bench = new SocketBench();
        Assert.Equal(5, await bench.Reactor.RunAsync(static () => Task.FromResult(5)));
        await bench.Reactor.RunAsync(static () => Task.CompletedTask);
        NotSupportedException thrown = await Assert.ThrowsAsync<NotSupportedException>(() => bench.Reactor.RunAsync(static () => throw new NotSupportedException("at once")));
        Assert.Equal("at once", thrown.Message);
        await Assert.ThrowsAsync<NotSupportedException>(() => bench.Reactor.RunAsync(static async () =>
        {
            await Task.Yield();
            throw new NotSupportedException("later");
        }));
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        Task cancelled = bench.Reactor.RunAsync(() => Task.FromCanceled(stop.Token));
        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.Equal(stop.Token, error.CancellationToken);
        Assert.True(cancelled.IsCanceled);
        Assert.Null(Reactor.Current);
    }

    [Fact]
    public async Task Code_resumes_on_the_reactor_after_awaits_of_any_kind()
    {
        await using var bench = new SocketBench();
        await bench.RunAsync(async () =>
        {
            await Task.Yield();
            Assert.True(bench.Reactor.IsCurrent);
            await Task.Delay(1);
            Assert.True(bench.Reactor.IsCurrent);
            await Task.Run(() => Assert.Null(Reactor.Current));
            Assert.True(bench.Reactor.IsCurrent);
            await Reactor.Delay(TimeSpan.FromMilliseconds(1));
            Assert.True(bench.Reactor.IsCurrent);
            Assert.Equal(1, await bench.Reactor.RunAsync(() => Task.FromResult(1)));
            Assert.True(bench.Reactor.IsCurrent);
        });
    }

    [Fact]
    public async Task A_context_sends_and_posts_from_other_threads()
    {
        await using var bench = new SocketBench();
        SynchronizationContext context = await bench.InvokeAsync(() => SynchronizationContext.Current!);
        Reactor? seen = null;
        context.Send(_ => seen = Reactor.Current, null);
        Assert.Same(bench.Reactor, seen);
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => context.Send(static _ => throw new NotSupportedException(), null));
        Assert.IsType<NotSupportedException>(error.InnerException);
        await bench.InvokeAsync(() =>
        {
            context.Send(_ => seen = null, null); // On the thread itself: at once.
            return 0;
        });
        Assert.Null(seen);
    }

    [Fact]
    public async Task A_reactor_stays_on_its_core()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        int core = PinnedThread.AllowedCores()[^1];
        using Reactor reactor = Reactor.Start(nic, core);
        Assert.Equal([core], await reactor.RunAsync(static () => Task.FromResult(PinnedThread.AllowedCores())));
    }

    [Theory]
    [InlineData(500)]
    [InlineData(100_000)]
    public async Task A_core_that_does_not_exist_is_refused(int core)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        Assert.Throws<Native.LinuxException>(() => Reactor.Start(nic, core));
        using Reactor reactor = Reactor.Start(nic);
    }

    [Fact]
    public async Task A_negative_core_is_refused()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        Assert.Throws<ArgumentOutOfRangeException>(() => Reactor.Start(nic, core: -1));
    }

    [Fact]
    public async Task A_reactor_that_has_ended_takes_no_work()
    {
        await using var bench = new SocketBench();
        bench.Reactor.Dispose();
        bench.Reactor.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { _ = bench.Reactor.RunAsync(static () => Task.CompletedTask); });
        using Reactor next = Reactor.Start(bench.Nic);
        Assert.Equal(1, await next.RunAsync(static () => Task.FromResult(1)));
    }

    [Fact]
    public async Task Work_that_is_given_while_the_reactor_ends_runs_there_or_is_refused_and_never_hangs()
    {
        using var device = new TestDevice(queueSize: 16, buffers: 64);
        await using NicBinding nic = device.Bind();
        for (int round = 0; round < 100; round++)
        {
            Reactor reactor = Reactor.Start(nic);
            Task<int> giver = Task.Run(
                async () =>
                {
                    int done = 0;
                    while (true)
                    {
                        try
                        {
                            await reactor.RunAsync(() =>
                            {
                                Assert.Same(reactor, Reactor.Current);
                                return Task.CompletedTask;
                            }).WaitAsync(TestDevice.Deadline);
                            done++;
                        }
                        catch (ObjectDisposedException)
                        {
                            return done;
                        }
                    }
                },
                TestContext.Current.CancellationToken);
            Thread.SpinWait(round * 100);
            reactor.Dispose();
            Assert.InRange(await giver.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken), 0, int.MaxValue);
        }
    }
}
