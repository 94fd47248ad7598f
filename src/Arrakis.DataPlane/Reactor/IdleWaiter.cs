using System.Diagnostics;
using System.Runtime.CompilerServices;
using Arrakis.Native.Events;

namespace Arrakis;

/// <summary>Carries an <see cref="IdlePolicy"/> out: when a poller pauses and when it sleeps, and what wakes it.</summary>
internal sealed class IdleWaiter(BindingQueue[] queues, IdlePolicy policy) : IDisposable
{
    /// <summary>The longest sleep: the status page is looked at so often, whatever the device does.</summary>
    public static readonly TimeSpan MaxSleep = TimeSpan.FromMilliseconds(50);

    // Spinning covers the usual gap between packets; pausing lets a sibling hyperthread work; beyond it, a wake-up's tens
    // of microseconds are a small part of the wait.
    private static readonly TimeSpan s_spin = TimeSpan.FromMicroseconds(50);
    private static readonly TimeSpan s_pause = TimeSpan.FromMicroseconds(150);

    private const int PollsPerClock = 256;

    private readonly EventFd[] _events = new EventFd[queues.Length];
    private readonly EventFd _wake = new();
    private int _polls;
    private long _idleSince;
    private bool _pausing;
    private int _sleeping;

    /// <summary>There was work.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Reset() => _polls = 0;

    /// <summary>To be called after each empty poll. Whether it is time to sleep.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool ShouldSleep()
    {
        if (policy == IdlePolicy.Spin)
        {
            return false;
        }

        return ++_polls > PollsPerClock / 2 && LookAtClock();
    }

    /// <summary>Sleeps until the device signals, somebody wakes it, or the time is over. Returns at once if there is work already.</summary>
    /// <param name="time">How long at most.</param>
    /// <param name="waitForRoom">Whether to wake for room in the transmit ring too.</param>
    public void Sleep(TimeSpan time, bool waitForRoom)
    {
        try
        {
            if (BeginSleep())
            {
                SleepArmed(Milliseconds(time), waitForRoom);
            }
        }
        finally
        {
            EndSleep();
        }
    }

    /// <summary>Sleeps until somebody wakes it, or the time is over: for a poller whose rings are gone.</summary>
    public void SleepUntilWoken(TimeSpan time)
    {
        if (BeginSleep())
        {
            _ = _wake.Wait(Milliseconds(time));
        }

        EndSleep();
    }

    /// <summary>Other work than the rings', looked at once more before sleeping; may be null.</summary>
    public Func<bool>? HasWork { get; init; }

    /// <summary>Ends a sleep, from any thread; free if nobody sleeps.</summary>
    public void WakeIfSleeping()
    {
        // Full barrier: what was posted before is visible before the mark is read.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _sleeping) != 0)
        {
            Wake();
        }
    }

    /// <summary>Ends a sleep, the present one or the next, from any thread.</summary>
    public void Wake()
    {
        bool held = false;
        try
        {
            // Who wakes a poller that ends meanwhile must not write to another file that got the number.
            _wake.Descriptor.DangerousAddRef(ref held);
            _wake.Signal();
        }
        catch (ObjectDisposedException)
        {
            // It has ended.
        }
        finally
        {
            if (held)
            {
                _wake.Descriptor.DangerousRelease();
            }
        }
    }

    public void Dispose() => _wake.Dispose();

    private bool BeginSleep()
    {
        Volatile.Write(ref _sleeping, 1);

        // Full barrier: who posts after this sees the mark and wakes, or what it posted is seen here.
        Interlocked.MemoryBarrier();
        return HasWork is null || !HasWork();
    }

    private void EndSleep()
    {
        Volatile.Write(ref _sleeping, 0);
        Reset();
    }

    // poll(2) counts milliseconds: rounding up would be late, so the last part of a millisecond is spun.
    private static int Milliseconds(TimeSpan time) => (int)Math.Min(time.TotalMilliseconds, MaxSleep.TotalMilliseconds);

    private void SleepArmed(int milliseconds, bool waitForRoom)
    {
        int armed = 0;
        try
        {
            while (armed < queues.Length && queues[armed].TryArm(waitForRoom))
            {
                armed++;
            }

            if (armed == queues.Length && milliseconds > 0)
            {
                WaitForEvent(milliseconds);
            }
        }
        finally
        {
            while (--armed >= 0)
            {
                queues[armed].Disarm();
            }
        }
    }

    private void WaitForEvent(int milliseconds)
    {
        try
        {
            _ = _wake.WaitAny(EventsLeft(), milliseconds);
        }
        catch (ObjectDisposedException)
        {
            // A binding was disposed meanwhile; the next poll says so.
        }
    }

    // A queue that is over signals nothing, and its counter may be closed.
    private ReadOnlySpan<EventFd> EventsLeft()
    {
        int count = 0;
        foreach (BindingQueue queue in queues)
        {
            if (!queue.IsOver)
            {
                _events[count++] = queue.Event;
            }
        }

        return _events.AsSpan(0, count);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool LookAtClock()
    {
        if (_polls == PollsPerClock / 2 + 1)
        {
            _idleSince = Stopwatch.GetTimestamp();
            _pausing = false;
        }

        if (_pausing)
        {
            Thread.SpinWait(1);
        }

        if (_polls % 16 != 0)
        {
            return false;
        }

        TimeSpan idle = Stopwatch.GetElapsedTime(_idleSince);
        _pausing = idle > s_spin;
        return idle > s_pause;
    }
}
