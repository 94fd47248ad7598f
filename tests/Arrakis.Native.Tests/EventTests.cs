using Arrakis.Native.Events;
using Tmds.Linux;

namespace Arrakis.Native.Tests;

public sealed class EventTests
{
    private const int Deadline = 60_000;

    [Fact]
    public void A_counter_is_signalled_until_it_is_drained()
    {
        using var signal = new EventFd();
        Assert.False(signal.TryDrain());
        Assert.False(signal.Wait(0));
        Assert.False(signal.Wait(10));
        signal.Signal();
        signal.Signal();
        Assert.True(signal.TryDrain());
        Assert.False(signal.TryDrain());
        signal.Signal();
        Assert.True(signal.Wait(-1));
        Assert.False(signal.Wait(0));
    }

    [Fact]
    public async Task Draining_does_not_block_where_another_holder_made_the_counter_blocking()
    {
        using var signal = new EventFd();
        using Descriptor other = signal.Descriptor.Duplicate();
        Assert.Equal(0, LibC.fcntl(other.Number, LibC.F_SETFL, 0));
        Task<bool> drain = Task.Run(signal.TryDrain, TestContext.Current.CancellationToken);
        Assert.False(await drain.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken));
        signal.Signal();
        Assert.True(signal.TryDrain());
    }

    [Fact]
    public async Task A_wait_is_not_cut_short_by_the_runtimes_signals()
    {
        using var signal = new EventFd();
        using var stop = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect(0);
                Thread.Sleep(1);
            }
        });
        collector.Start();
        Task<bool> wait = Task.Factory.StartNew(() => signal.Wait(Deadline), TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.Delay(200, TestContext.Current.CancellationToken);
        Assert.False(wait.IsCompleted);
        signal.Signal();
        Assert.True(await wait);
        stop.Cancel();
        collector.Join();
    }

    [Fact]
    public async Task A_wait_completes_at_once_and_later()
    {
        using var loop = new ReadinessLoop();
        using var signal = new EventFd();
        signal.Signal();
        await loop.WaitAsync(signal.Descriptor, Readiness.Read, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.True(signal.TryDrain());
        Task later = loop.WaitAsync(signal.Descriptor, Readiness.Read, TestContext.Current.CancellationToken);
        await Task.Delay(20, TestContext.Current.CancellationToken);
        Assert.False(later.IsCompleted);
        signal.Signal();
        await later.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        await loop.WaitAsync(signal.Descriptor, Readiness.Write, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_second_waiter_is_refused_and_a_cancelled_one_makes_room()
    {
        using var loop = new ReadinessLoop();
        using var signal = new EventFd();
        using var cancellation = new CancellationTokenSource();
        Task first = loop.WaitAsync(signal.Descriptor, Readiness.Read, cancellation.Token);
        await Assert.ThrowsAsync<InvalidOperationException>(() => loop.WaitAsync(signal.Descriptor, Readiness.Read, TestContext.Current.CancellationToken));
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loop.WaitAsync(signal.Descriptor, Readiness.Read, cancellation.Token));
        Task next = loop.WaitAsync(signal.Descriptor, Readiness.Read, TestContext.Current.CancellationToken);
        signal.Signal();
        await next.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Dispose_cancels_who_waits_and_refuses_who_comes()
    {
        var loop = new ReadinessLoop();
        using var signal = new EventFd();
        Task waiting = loop.WaitAsync(signal.Descriptor, Readiness.Read, TestContext.Current.CancellationToken);
        loop.Dispose();
        loop.Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => loop.WaitAsync(signal.Descriptor, Readiness.Read, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Waiting_for_what_is_closed_or_always_ready_fails_by_name()
    {
        using var loop = new ReadinessLoop();
        var closed = new EventFd();
        closed.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => loop.WaitAsync(closed.Descriptor, Readiness.Read, TestContext.Current.CancellationToken));
        using var handle = File.OpenHandle("/proc/self/exe");
        using var plain = new Descriptor(LibC.dup((int)handle.DangerousGetHandle()));
        Assert.Equal(LibC.EPERM, (await Assert.ThrowsAsync<LinuxException>(() => loop.WaitAsync(plain, Readiness.Read, TestContext.Current.CancellationToken))).Errno);
    }

    [Fact]
    public async Task A_descriptor_closed_meanwhile_stays_open_until_the_wait_ends()
    {
        using var loop = new ReadinessLoop();
        var signal = new EventFd();
        using Descriptor other = signal.Descriptor.Duplicate();
        int number = signal.Descriptor.Number;
        Task wait = loop.WaitAsync(signal.Descriptor, Readiness.Read, TestContext.Current.CancellationToken);
        signal.Dispose();
        Assert.True(LibC.fcntl(number, LibC.F_GETFD) >= 0);
        new EventFd(other).Signal();
        await wait.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Equal(-1, LibC.fcntl(number, LibC.F_GETFD));
    }

    [Fact]
    public async Task Many_waiters_each_get_their_own_event_whatever_is_cancelled_or_closed_around_them()
    {
        using var loop = new ReadinessLoop();
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Task[] users = [.. Enumerable.Range(0, 64).Select(index => Task.Run(() => UseAsync(loop, new Random(index)), cancellation))];
        await Task.WhenAll(users).WaitAsync(TimeSpan.FromMinutes(2), cancellation);
    }

    // Numbers of closed descriptors are given out again at once, to another user's counter: a stale event would end a wait early.
    private static async Task UseAsync(ReadinessLoop loop, Random random)
    {
        for (int round = 0; round < 200; round++)
        {
            using var signal = new EventFd();
            using var cancellation = new CancellationTokenSource();
            Task wait = loop.WaitAsync(signal.Descriptor, Readiness.Read, cancellation.Token);
            if (random.Next(3) == 0)
            {
                await Task.Yield();
            }

            bool signalled = random.Next(2) == 0;
            bool cancelled = !signalled || random.Next(4) == 0;
            if (signalled)
            {
                signal.Signal();
            }

            if (cancelled)
            {
                cancellation.Cancel();
            }

            try
            {
                await wait;
                Assert.True(signalled && signal.TryDrain(), "The wait ended without an event.");
            }
            catch (OperationCanceledException)
            {
                Assert.True(cancelled);
            }
        }
    }
}
