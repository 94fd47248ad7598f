using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.Native.Threads;

namespace Arrakis;

/// <summary>
/// A pinned thread that polls a queue of a binding and runs the code that waits for them, to completion: awaits in that code
/// resume on the same thread, without a queue or a switch.
/// </summary>
public sealed class Reactor : IDisposable
{
    private const int IterationsPerClock = 64;
    private const int MaxPooledDelays = 1024;

    [ThreadStatic]
    private static Reactor? t_current;

    private readonly ConcurrentQueue<(SendOrPostCallback Callback, object? State)> _posts = new();
    private readonly Stack<DelayOperation> _freeDelays = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IdleWaiter _waiter;
    private readonly Thread _thread;
    private readonly int? _core;
    private uint _iterations;
    private volatile bool _hasPosts;
    private volatile bool _stopping;
    private volatile bool _ended;
    private volatile Exception? _failure;

    private Reactor(NicQueue queue, int? core, IdlePolicy idle)
    {
        Queue = queue;
        _core = core;
        Context = new ReactorSynchronizationContext(this);
        Ports = new UdpPortTable(queue);
        _waiter = new IdleWaiter(queue, idle) { HasWork = () => _hasPosts || _stopping };
        _thread = new Thread(Run) { IsBackground = true, Name = $"arrakis reactor {queue.Nic.Grant.BindingId}.{queue.Index}" };
    }

    /// <summary>The reactor whose thread this is; null on other threads.</summary>
    public static Reactor? Current => t_current;

    /// <summary>The binding that it polls a queue of.</summary>
    public NicBinding Nic => Queue.Nic;

    /// <summary>The queue that it polls.</summary>
    public NicQueue Queue { get; }

    /// <summary>Whether the calling thread is this reactor's.</summary>
    public bool IsCurrent
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ReferenceEquals(t_current, this);
    }

    internal ReactorSynchronizationContext Context { get; }

    internal UdpPortTable Ports { get; }

    internal TimerHeap Timers { get; } = new();

    internal SendWaiters SendWaiters { get; } = new();

    /// <summary>Why the binding cannot be used any more, if so.</summary>
    internal Exception? Failure => _failure;

    /// <summary>Starts a thread for a binding's only queue.</summary>
    /// <param name="nic">The binding to poll; nobody else polls it meanwhile. It is not disposed with the reactor.</param>
    /// <param name="core">The core to stay on; null for any.</param>
    /// <param name="idle">What to do while nothing comes.</param>
    /// <exception cref="Native.LinuxException">The core does not exist, or this process may not use it.</exception>
    /// <exception cref="InvalidOperationException">Another reactor or thread polls the binding, or it has several queues: start a reactor for each.</exception>
    public static Reactor Start(NicBinding nic, int? core = null, IdlePolicy idle = IdlePolicy.Adaptive)
    {
        ArgumentNullException.ThrowIfNull(nic);
        return Start(nic.Only, core, idle);
    }

    /// <summary>Starts a thread for one of a binding's queues.</summary>
    /// <param name="queue">The queue to poll; nobody else polls it meanwhile. Its binding is not disposed with the reactor.</param>
    /// <param name="core">The core to stay on; null for any.</param>
    /// <param name="idle">What to do while nothing comes.</param>
    /// <exception cref="Native.LinuxException">The core does not exist, or this process may not use it.</exception>
    /// <exception cref="InvalidOperationException">Another reactor or thread polls the queue.</exception>
    public static Reactor Start(NicQueue queue, int? core = null, IdlePolicy idle = IdlePolicy.Adaptive)
    {
        ArgumentNullException.ThrowIfNull(queue);
        queue.Claim();
        var reactor = new Reactor(queue, core, idle);
        queue.Ports = reactor.Ports;
        queue.Waiter = reactor._waiter;
        reactor._thread.Start();
        try
        {
            reactor._started.Task.GetAwaiter().GetResult();
            return reactor;
        }
        catch
        {
            reactor.Release();
            reactor._waiter.Dispose();
            throw;
        }
    }

    /// <summary>Runs asynchronous code on the reactor's thread; awaits in it resume there.</summary>
    /// <returns>Completes with the code's own end. Who awaits it elsewhere goes on elsewhere.</returns>
    /// <exception cref="ObjectDisposedException">The reactor has ended.</exception>
    public Task RunAsync(Func<Task> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunAsync(async () =>
        {
            await work();
            return 0;
        });
    }

    /// <summary>Runs asynchronous code on the reactor's thread; awaits in it resume there.</summary>
    /// <returns>Completes with the code's own end. Who awaits it elsewhere goes on elsewhere.</returns>
    /// <exception cref="ObjectDisposedException">The reactor has ended.</exception>
    public Task<T> RunAsync<T>(Func<Task<T>> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        ObjectDisposedException.ThrowIf(_stopping, this);
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(_ => RunTo(this, work, done), null);
        return done.Task;

        static async void RunTo(Reactor reactor, Func<Task<T>> work, TaskCompletionSource<T> done)
        {
            if (!reactor.IsCurrent)
            {
                // The reactor ended between the look at its state and the post.
                done.SetException(new ObjectDisposedException(nameof(Reactor)));
                return;
            }

            try
            {
                done.SetResult(await work());
            }
            catch (OperationCanceledException e)
            {
                done.SetCanceled(e.CancellationToken);
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }
    }

    /// <summary>Completes after a time, on the reactor of the calling thread.</summary>
    /// <param name="time">How long; about 10 µs late while the reactor is awake, up to a millisecond when it sleeps.</param>
    /// <param name="cancellation">Ends it early with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InvalidOperationException">The calling thread is no reactor's.</exception>
    public static ValueTask Delay(TimeSpan time, CancellationToken cancellation = default)
    {
        Reactor reactor = Current ?? throw new InvalidOperationException("Reactor.Delay is for code on a reactor's thread; use Task.Delay elsewhere.");
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled(cancellation);
        }

        DelayOperation delay = reactor._freeDelays.TryPop(out DelayOperation? free) ? free : new DelayOperation(reactor);
        delay.Start(reactor.Queue.ReadClock() + (long)Math.Min(time.TotalNanoseconds, long.MaxValue / 4), cancellation);
        return delay.PlainTask;
    }

    /// <summary>Stops the thread and waits for it, unless it is the calling one. Pending operations end with SocketError.OperationAborted.</summary>
    public void Dispose()
    {
        _stopping = true;
        _waiter.WakeIfSleeping();
        if (!IsCurrent)
        {
            _thread.Join();
            _waiter.Dispose();
        }
    }

    /// <summary>Runs a callback on the reactor's thread, soon; on the thread pool where the reactor has ended.</summary>
    internal void Post(SendOrPostCallback callback, object? state)
    {
        _posts.Enqueue((callback, state));
        _hasPosts = true;
        if (_ended)
        {
            _ = ThreadPool.UnsafeQueueUserWorkItem(static reactor => reactor.RunPosts(), this, preferLocal: false);
        }
        else if (!IsCurrent)
        {
            _waiter.WakeIfSleeping();
        }
    }

    /// <summary>Keeps a delay for its next use.</summary>
    internal void Return(DelayOperation delay)
    {
        if (IsCurrent && _freeDelays.Count < MaxPooledDelays)
        {
            _freeDelays.Push(delay);
        }
    }

    private void Run()
    {
        t_current = this;
        SynchronizationContext.SetSynchronizationContext(Context);
        try
        {
            if (_core is { } core)
            {
                PinnedThread.Pin(core);
            }
        }
        catch (Exception e)
        {
            _started.SetException(e);
            return;
        }

        _started.SetResult();
        Loop();
        End();
    }

    // AggressiveOptimization: compiled once and fully, so that no tier change disturbs the poller later.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Loop()
    {
        while (!_stopping)
        {
            if (Iterate() != 0)
            {
                _waiter.Reset();
            }
            else if (_waiter.ShouldSleep())
            {
                Sleep();
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Iterate()
    {
        if (_failure is not null)
        {
            _ = Queue.ReadClock();
            return RunPosts() + RunTimers();
        }

        if (!Queue.TryEnter())
        {
            Fail(Aborted());
            return 1;
        }

        try
        {
            int work = PollRings();
            if (_hasPosts)
            {
                work += RunPosts();
            }

            if (Timers.Count != 0)
            {
                work += RunTimers();
            }

            return work;
        }
        finally
        {
            Queue.Leave();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int PollRings()
    {
        try
        {
            // What callbacks and timers have sent since the last time goes out first.
            Queue.Sender.Flush();
            int work = Queue.PollSockets(Ports);
            if (SendWaiters.Count != 0)
            {
                work += SendWaiters.Pump(Queue);
            }

            if ((++_iterations & (IterationsPerClock - 1)) == 0)
            {
                Queue.UpdateClock();
            }

            return work;
        }
        catch (RingCorruptException e)
        {
            Fail(Queue.Explain(e));
        }
        catch (BindingRevokedException e)
        {
            Fail(e);
        }

        return 1;
    }

    private int RunPosts()
    {
        // Cleared before the queue is looked at: a post that comes meanwhile sets it again. Full barrier: otherwise the look
        // could pass the store, which would then wipe out the mark of a post that the look did not see.
        _hasPosts = false;
        Interlocked.MemoryBarrier();
        int count = _posts.Count;
        for (int i = 0; i < count && _posts.TryDequeue(out (SendOrPostCallback Callback, object? State) post); i++)
        {
            post.Callback(post.State);
        }

        return count;
    }

    private int RunTimers()
    {
        // No more than are there now: who waits again for no time at all must not keep the rings from being polled.
        int count = 0;
        for (int left = Timers.Count; left > 0 && Timers.TakeDue(Queue.Now) is { } due; left--)
        {
            due.Finish(null);
            count++;
        }

        return count;
    }

    private void Sleep()
    {
        long left = Timers.NextDeadline - Queue.ReadClock();
        if (left > 0)
        {
            TimeSpan time = TimeSpan.FromTicks(left / 100);
            try
            {
                if (_failure is not null)
                {
                    _waiter.SleepUntilWoken(time);
                }
                else
                {
                    _waiter.Sleep(time, SendWaiters.Count != 0);
                }
            }
            catch (Exception e) when (e is BindingRevokedException or ObjectDisposedException or RingCorruptException)
            {
                Fail(e is ObjectDisposedException ? Aborted() : e);
            }
        }

        // The clock is read at the next iteration.
        _iterations = unchecked(0u - 1);
    }

    private void Release()
    {
        Queue.Ports = null;
        Queue.Waiter = null;
        Queue.Unclaim();
    }

    private static SocketException Aborted() => new((int)SocketError.OperationAborted);

    private void Fail(Exception failure)
    {
        _failure = failure;
        SendWaiters.FailAll(failure);
        Ports.FailAll(failure);
    }

    private void End()
    {
        Fail(_failure ?? Aborted());
        Release();
        while (Timers.TakeAny() is { } delay)
        {
            delay.Finish(new ObjectDisposedException(nameof(Reactor)));
        }

        _ = RunPosts();
        _ended = true;
        t_current = null;
        SynchronizationContext.SetSynchronizationContext(null);
        _ = ThreadPool.UnsafeQueueUserWorkItem(static reactor => reactor.RunPosts(), this, preferLocal: false);
    }
}
