using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.Native.Threads;

namespace Arrakis;

/// <summary>
/// A pinned thread that polls a NIC's queue, block queues, or both, and runs the code that waits for them, to completion: awaits in
/// that code resume on the same thread, without a queue or a switch.
/// </summary>
public sealed class Reactor : IDisposable
{
    private const int IterationsPerClock = 64;
    private const int MaxPooledDelays = 1024;

    /// <summary>The most queues of a reactor.</summary>
    public const int MaxQueues = 8;

    [ThreadStatic]
    private static Reactor? t_current;

    private readonly ConcurrentQueue<(SendOrPostCallback Callback, object? State)> _posts = new();
    private readonly Stack<DelayOperation> _freeDelays = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly NicQueue? _nic;
    private readonly BlockQueue[] _blocks;
    private readonly BindingQueue _clock; // The first of its queues.
    private readonly UdpPortTable? _ports;
    private readonly IdleWaiter _waiter;
    private readonly Thread _thread;
    private readonly int? _core;
    private uint _iterations;
    private uint _entered; // Of the block queues, those that this round is in.
    private volatile bool _hasPosts;
    private volatile bool _stopping;
    private volatile bool _ended;
    private volatile Exception? _failure;

    private Reactor(NicQueue? queue, BlockQueue[] blockQueues, int? core, IdlePolicy idle)
    {
        BindingQueue[] queues = queue is null ? [.. blockQueues] : [queue, .. blockQueues];
        _nic = queue;
        _blocks = blockQueues;
        _clock = queues[0];
        _core = core;
        Context = new ReactorSynchronizationContext(this);
        _ports = queue is null ? null : new UdpPortTable(queue);
        _waiter = new IdleWaiter(queues, idle) { HasWork = () => _hasPosts || _stopping };
        _thread = new Thread(Run) { IsBackground = true, Name = $"arrakis reactor {_clock.BindingId}.{_clock.Index}" };
    }

    /// <summary>The reactor whose thread this is; null on other threads.</summary>
    public static Reactor? Current => t_current;

    /// <summary>The NIC that it polls a queue of.</summary>
    /// <exception cref="InvalidOperationException">It polls none.</exception>
    public NicBinding Nic => Queue.Nic;

    /// <summary>The NIC's queue that it polls.</summary>
    /// <exception cref="InvalidOperationException">It polls none.</exception>
    public NicQueue Queue => _nic ?? throw new InvalidOperationException("The reactor polls no NIC: start one with the NIC's queue.");

    /// <summary>The block queues that it polls.</summary>
    public IReadOnlyList<BlockQueue> BlockQueues => _blocks;

    /// <summary>Whether the calling thread is this reactor's.</summary>
    public bool IsCurrent
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ReferenceEquals(t_current, this);
    }

    internal ReactorSynchronizationContext Context { get; }

    internal UdpPortTable Ports => _ports ?? Queue.Ports!;

    internal TimerHeap Timers { get; } = new();

    internal SendWaiters SendWaiters { get; } = new();

    /// <summary>Why the NIC cannot be used any more, if so.</summary>
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
        return Start(queue, [], core, idle);
    }

    /// <summary>Starts a thread for a storage binding's only queue.</summary>
    /// <param name="storage">The binding to poll; nobody else polls it meanwhile. It is not disposed with the reactor.</param>
    /// <param name="core">The core to stay on; null for any.</param>
    /// <param name="idle">What to do while nothing comes.</param>
    /// <exception cref="Native.LinuxException">The core does not exist, or this process may not use it.</exception>
    /// <exception cref="InvalidOperationException">Another reactor or thread polls the binding, or it has several queues: start a reactor for each.</exception>
    public static Reactor Start(StorageBinding storage, int? core = null, IdlePolicy idle = IdlePolicy.Adaptive)
    {
        ArgumentNullException.ThrowIfNull(storage);
        return Start(queue: null, [storage.Only], core, idle);
    }

    /// <summary>Starts a thread for a queue of a NIC and block queues, of one or several bindings.</summary>
    /// <param name="queue">The NIC's queue; null where it is for storage alone.</param>
    /// <param name="blockQueues">The block queues; nobody else polls one of these queues meanwhile. Their bindings are not disposed with the reactor.</param>
    /// <param name="core">The core to stay on; null for any.</param>
    /// <param name="idle">What to do while nothing comes.</param>
    /// <exception cref="ArgumentException">There is no queue at all, or more than <see cref="MaxQueues"/>.</exception>
    /// <exception cref="Native.LinuxException">The core does not exist, or this process may not use it.</exception>
    /// <exception cref="InvalidOperationException">Another reactor or thread polls one of them.</exception>
    public static Reactor Start(NicQueue? queue, IReadOnlyList<BlockQueue> blockQueues, int? core = null, IdlePolicy idle = IdlePolicy.Adaptive)
    {
        ArgumentNullException.ThrowIfNull(blockQueues);
        int count = blockQueues.Count + (queue is null ? 0 : 1);
        if (count is 0 or > MaxQueues)
        {
            throw new ArgumentException($"A reactor polls 1 to {MaxQueues} queues, not {count}.", nameof(blockQueues));
        }

        var reactor = new Reactor(queue, [.. blockQueues], core, idle);
        reactor.Attach();
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
        delay.Start(reactor._clock.ReadClock() + (long)Math.Min(time.TotalNanoseconds, long.MaxValue / 4), cancellation);
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
        if (_nic is null || _failure is not null)
        {
            return IterateBlocks();
        }

        if (!_nic.TryEnter())
        {
            Fail(Aborted());
            return 1;
        }

        if (_blocks.Length != 0)
        {
            EnterBlocks();
        }

        try
        {
            int work = PollRings(_nic);
            if (_blocks.Length != 0)
            {
                work += PollBlocks();
            }

            return work + RunWaiting();
        }
        finally
        {
            if (_blocks.Length != 0)
            {
                LeaveBlocks();
            }

            _nic.Leave();
        }
    }

    // There is no NIC, or it cannot be used any more.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int IterateBlocks()
    {
        EnterBlocks();
        try
        {
            int work = PollBlocks();
            if (_entered == 0 || _clock.IsOver)
            {
                _ = _clock.ReadClock();
            }

            return work + RunWaiting();
        }
        finally
        {
            LeaveBlocks();
        }
    }

    // All code that this thread runs in a round may touch the memory of all queues.
    private void EnterBlocks()
    {
        _entered = 0;
        for (int i = 0; i < _blocks.Length; i++)
        {
            if (_blocks[i].TryEnterRound())
            {
                _entered |= 1u << i;
            }
        }
    }

    private int PollBlocks()
    {
        int work = 0;
        for (int i = 0; i < _blocks.Length; i++)
        {
            if ((_entered & 1u << i) != 0)
            {
                work += _blocks[i].PollRound();
            }
        }

        return work;
    }

    private void LeaveBlocks()
    {
        for (int i = 0; i < _blocks.Length; i++)
        {
            if ((_entered & 1u << i) != 0)
            {
                _blocks[i].Leave();
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int RunWaiting()
    {
        int work = 0;
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int PollRings(NicQueue nic)
    {
        try
        {
            // What callbacks and timers have sent since the last time goes out first.
            nic.Sender.Flush();
            int work = nic.PollSockets(_ports!);
            if (SendWaiters.Count != 0)
            {
                work += SendWaiters.Pump(nic);
            }

            if ((++_iterations & (IterationsPerClock - 1)) == 0)
            {
                nic.UpdateClock();
            }

            return work;
        }
        catch (RingCorruptException e)
        {
            Fail(nic.Explain(e));
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
        for (int left = Timers.Count; left > 0 && Timers.TakeDue(_clock.Now) is { } due; left--)
        {
            due.Finish(null);
            count++;
        }

        return count;
    }

    private void Sleep()
    {
        long left = Timers.NextDeadline - _clock.ReadClock();
        if (left > 0)
        {
            TimeSpan time = TimeSpan.FromTicks(left / 100);
            try
            {
                if (_failure is not null && _blocks.Length == 0)
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

    // All queues or none.
    private void Attach()
    {
        int attached = 0;
        _nic?.Claim();
        try
        {
            for (; attached < _blocks.Length; attached++)
            {
                _blocks[attached].Attach(this, _waiter);
            }
        }
        catch
        {
            while (--attached >= 0)
            {
                _blocks[attached].Detach();
            }

            _nic?.Unclaim();
            _waiter.Dispose();
            throw;
        }

        if (_nic is not null)
        {
            _nic.Ports = _ports;
            _nic.Waiter = _waiter;
        }
    }

    private void Release()
    {
        Array.ForEach(_blocks, static queue => queue.Detach());
        if (_nic is not null)
        {
            _nic.Ports = null;
            _nic.Waiter = null;
            _nic.Unclaim();
        }
    }

    private static SocketException Aborted() => new((int)SocketError.OperationAborted);

    private void Fail(Exception failure)
    {
        _failure = failure;
        if (!_stopping)
        {
            _nic?.GiveUp(); // For good: not because this reactor ends.
        }

        SendWaiters.FailAll(failure);
        _ports?.FailAll(failure);
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
