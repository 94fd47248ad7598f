using Arrakis.Native.Net;
using Arrakis.Native.Threads;
using Tmds.Linux;

namespace Arrakis.Native.Tests;

public sealed class ThreadTests
{
    private const int KilledBySeccomp = 128 + 31; // SIGSYS

    [Fact]
    public void A_pinned_thread_may_use_one_core() => OnThread(() =>
    {
        IReadOnlyList<int> cores = PinnedThread.AllowedCores();
        PinnedThread.Pin(cores[^1]);
        Assert.Equal([cores[^1]], PinnedThread.AllowedCores());
        Assert.Contains($"/proc/self/task/{PinnedThread.CurrentId}", Directory.GetDirectories("/proc/self/task"));
    });

    [Theory]
    [InlineData(1000)]
    [InlineData(1_000_000)]
    public void A_core_that_is_not_there_is_refused(int core) => OnThread(() =>
        Assert.Equal(LibC.EINVAL, Assert.Throws<LinuxException>(() => PinnedThread.Pin(core)).Errno));

    [Fact]
    public void A_negative_core_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PinnedThread.Pin(-1));

    [Fact]
    public void A_system_call_under_the_filter_kills_the_process() =>
        Assert.Equal((KilledBySeccomp, "entering\n"), ChildProcess.Run("seccomp"));

    [Fact]
    public void An_allowed_system_call_goes_through() =>
        Assert.Equal((0, "entering\n"), ChildProcess.Run("seccomp-allowed"));

    [Fact]
    public void Other_threads_are_not_under_the_filter() =>
        Assert.Equal((0, "others go on\n"), ChildProcess.Run("seccomp-other-thread"));

    [Fact]
    public void System_calls_of_a_thread_are_counted_and_no_others()
    {
        using var ready = new SemaphoreSlim(0);
        using var go = new SemaphoreSlim(0);
        int number = 0;
        bool spin = false;
        var thread = new Thread(() =>
        {
            number = PinnedThread.CurrentId;
            _ = LibC.getppid();
            ready.Release();
            go.Wait();
            for (int i = 0; i < 10_000; i++)
            {
                _ = LibC.getppid();
            }

            Volatile.Write(ref spin, true);
            while (Volatile.Read(ref spin))
            {
            }
        });
        thread.Start();
        ready.Wait(TestContext.Current.CancellationToken);
        using var counter = new SystemCallCounter(number);
        go.Release();
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref spin), 60_000));
        long calls = counter.Count;
        Assert.InRange(calls, 10_000, 10_050);
        for (int i = 0; i < 100; i++)
        {
            _ = LibC.getppid();
        }

        Assert.Equal(calls, counter.Count);
        Volatile.Write(ref spin, false);
        thread.Join();
    }

    [Fact]
    public void Counting_for_a_thread_that_is_not_there_fails_by_name() =>
        Assert.Equal(LibC.ESRCH, Assert.Throws<LinuxException>(() => new SystemCallCounter(0x3FFFFFFF)).Errno);

    [Fact]
    public void The_time_stamp_counter_grows()
    {
        ulong before = TimestampCounter.Read();
        Thread.Sleep(1);
        Assert.True(TimestampCounter.Read() > before);
    }

    [Fact]
    public void A_tap_interface_lives_as_long_as_its_descriptor() =>
        Assert.Equal((0, "tap works\n"), ChildProcess.Finish(ChildProcess.StartUnder(["unshare", "-n"], "tap", "arrtest0")));

    [Fact]
    public void A_tap_name_that_is_too_long_is_refused() =>
        Assert.Throws<ArgumentException>(() => TapInterface.Create("a-name-of-16-chr"));

    private static void OnThread(Action action)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        Assert.Null(failure);
    }
}
