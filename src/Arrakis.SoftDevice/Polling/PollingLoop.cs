using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Threads;

namespace Arrakis.SoftDevice.Polling;

/// <summary>What the polling thread does when nothing comes.</summary>
internal enum IdlePolicy
{
    /// <summary>Polls on.</summary>
    Spin,

    /// <summary>Polls for a while, then sleeps until a doorbell rings.</summary>
    Adaptive,
}

/// <summary>
/// The one thread that touches ports, rings and the switch. While there is traffic it makes no system call, takes no
/// lock and allocates nothing; other threads hand it commands and wait until they are carried out.
/// </summary>
internal sealed class PollingLoop : IDisposable
{
    private const int RoundsBetweenClockReads = 256;
    private const long IdleBeforeSleep = 100_000; // nanoseconds
    private const long NanosecondsPerMillisecond = 1_000_000;

    private const int WakeToken = -1;
    private readonly DeviceCore _core;
    private readonly int? _processor;
    private readonly IdlePolicy _idle;
    private readonly ConcurrentQueue<Command> _commands = new();
    private readonly Epoll _doorbells = new();
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _started = new();
    private Exception? _failure;
    private int _pending; // commands in the queue; the polling thread looks at this, not at the queue
    private volatile bool _stopping;

    /// <param name="core">The ports.</param>
    /// <param name="processor">Core to run on; null lets the kernel choose.</param>
    /// <param name="idle">What to do when nothing comes.</param>
    public PollingLoop(DeviceCore core, int? processor, IdlePolicy idle)
    {
        _core = core;
        _processor = processor;
        _idle = idle;
        _doorbells.Add(Wake.Descriptor, WakeToken, Readiness.Read, EpollMode.Edge);
        _thread = new Thread(Run) { IsBackground = true, Name = "poller" };
    }

    /// <summary>Wakes the polling thread if it sleeps.</summary>
    public EventFd Wake { get; } = new();

    /// <summary>Starts the thread.</summary>
    /// <exception cref="LinuxException">The core cannot be had.</exception>
    public void Start()
    {
        _thread.Start();
        _started.Wait();
        if (_failure is not null)
        {
            ExceptionDispatchInfo.Throw(_failure);
        }
    }

    /// <summary>Has the polling thread carry out a command between two rounds, and waits until it has.</summary>
    public void Invoke(Action action)
    {
        var command = new Command(action, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _commands.Enqueue(command);
        _ = Interlocked.Increment(ref _pending);
        Wake.Signal();
        command.Done.Task.GetAwaiter().GetResult();
    }

    /// <summary>
    /// Adds a doorbell. It is watched for edges and never read: its counter is of no interest, and a read could
    /// block if the driver clears O_NONBLOCK.
    /// </summary>
    /// <exception cref="LinuxException">The descriptor cannot be waited for.</exception>
    public void AddDoorbell(Descriptor doorbell) => _doorbells.Add(doorbell, 0, Readiness.Read, EpollMode.Edge);

    /// <summary>Removes a doorbell.</summary>
    public void RemoveDoorbell(Descriptor doorbell) => _doorbells.Remove(doorbell);

    /// <summary>Ends the thread.</summary>
    public void Dispose()
    {
        _stopping = true;
        Wake.Signal();
        if (_thread.IsAlive)
        {
            _thread.Join();
        }

        _doorbells.Dispose();
        Wake.Dispose();
        _started.Dispose();
    }

    private void Run()
    {
        try
        {
            if (_processor is { } processor)
            {
                PinnedThread.Pin(processor);
            }
        }
        catch (LinuxException e)
        {
            _failure = e;
        }

        _started.Set();
        if (_failure is null)
        {
            Poll();
        }
    }

    private void Poll()
    {
        DeviceCore core = _core;
        int idleRounds = 0;
        long idleSince = 0;
        while (!_stopping)
        {
            if (Volatile.Read(ref _pending) != 0)
            {
                CarryOut();
            }

            if (core.PollOnce())
            {
                idleRounds = 0;
            }
            else if (_idle == IdlePolicy.Adaptive && ++idleRounds % RoundsBetweenClockReads == 0)
            {
                long now = Clock.Machine.Now;
                if (idleRounds == RoundsBetweenClockReads)
                {
                    idleSince = now;
                }
                else if (now - idleSince > IdleBeforeSleep)
                {
                    Sleep();
                    idleRounds = 0;
                }
            }
        }
    }

    private void Sleep()
    {
        // The kernel's wait counts milliseconds: what is due sooner is polled for.
        long due = _core.TimeUntilDue();
        if (due < NanosecondsPerMillisecond)
        {
            return;
        }

        // After the drivers were asked to ring, one look more: what came before that has rung no doorbell.
        if (!_core.RequestDoorbells(true) && Volatile.Read(ref _pending) == 0 && !_core.Uplink.IsReady && !_stopping)
        {
            Span<int> tokens = stackalloc int[16];
            _ = _doorbells.Wait(tokens, due == long.MaxValue ? -1 : (int)Math.Min(due / NanosecondsPerMillisecond, int.MaxValue));
        }

        _ = _core.RequestDoorbells(false);
    }

    private void CarryOut()
    {
        while (_commands.TryDequeue(out Command? command))
        {
            _ = Interlocked.Decrement(ref _pending);
            try
            {
                command.Action();
                command.Done.SetResult();
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                command.Done.SetException(e); // thrown where the command was given
            }
        }
    }

    private sealed record Command(Action Action, TaskCompletionSource Done);
}
