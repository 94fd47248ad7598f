using Tmds.Linux;

namespace Arrakis.Native.Events;

/// <summary>What a descriptor is to become ready for.</summary>
[Flags]
public enum Readiness
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Reading, or the peer has gone.</summary>
    Read = 1,

    /// <summary>Writing, or the peer has gone.</summary>
    Write = 4,
}

/// <summary>
/// Lets asynchronous code wait for descriptors of any kind (epoll(7)): one thread, however many wait. For slow paths;
/// nothing on the data path waits here.
/// </summary>
public sealed class ReadinessLoop : IDisposable
{
    private const uint OneShot = 1u << 30; // EPOLLONESHOT
    private const int BatchLength = 64;

    private readonly Lock _gate = new();
    private readonly Dictionary<int, Waiter> _waiters = []; // By descriptor; guarded by _gate.
    private readonly Descriptor _epoll;
    private readonly EventFd _wake = new();
    private readonly Thread _thread;
    private uint _lastTicket; // Guarded by _gate.
    private volatile bool _stopping;

    /// <summary>Starts the thread.</summary>
    public unsafe ReadinessLoop()
    {
        int number = LibC.epoll_create1(LibC.EPOLL_CLOEXEC);
        LinuxException.ThrowIfNegative(number, "epoll_create1");
        _epoll = new Descriptor(number);
        epoll_event wake = new() { events = LibC.EPOLLIN };
        wake.data.u64 = Key(_wake.Descriptor.Number, 0);
        LinuxException.ThrowIfNegative(LibC.epoll_ctl(number, LibC.EPOLL_CTL_ADD, _wake.Descriptor.Number, &wake), "epoll_ctl(wake)");
        _thread = new Thread(Run) { IsBackground = true, Name = "readiness" };
        _thread.Start();
    }

    /// <summary>Completes when the descriptor is ready. One waiter a descriptor at a time; use a duplicate for a second.</summary>
    /// <remarks>A descriptor that is disposed meanwhile stays open until the wait ends; shut a socket down to end the wait.</remarks>
    /// <exception cref="InvalidOperationException">Somebody waits for this descriptor already.</exception>
    /// <exception cref="LinuxException">The descriptor is of a kind that is always ready, such as a plain file (EPERM).</exception>
    public async Task WaitAsync(Descriptor descriptor, Readiness readiness, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        cancellation.ThrowIfCancellationRequested();
        bool added = false;
        descriptor.DangerousAddRef(ref added);
        try
        {
            Waiter waiter = Add((int)descriptor.DangerousGetHandle(), readiness);
            try
            {
                await using (cancellation.UnsafeRegister(static (state, token) => ((Waiter)state!).Source.TrySetCanceled(token), waiter))
                {
                    await waiter.Source.Task.ConfigureAwait(false);
                }
            }
            finally
            {
                Remove(waiter);
            }
        }
        finally
        {
            descriptor.DangerousRelease();
        }
    }

    /// <summary>Ends the thread; who still waits is cancelled.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_stopping)
            {
                return;
            }

            _stopping = true;
        }

        _wake.Signal();
        _thread.Join();
        lock (_gate)
        {
            foreach (Waiter waiter in _waiters.Values)
            {
                _ = waiter.Source.TrySetCanceled();
            }

            _epoll.Dispose();
            _wake.Dispose();
        }
    }

    private unsafe Waiter Add(int number, Readiness readiness)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            if (_waiters.ContainsKey(number))
            {
                throw new InvalidOperationException($"Descriptor {number} has a waiter already.");
            }

            var waiter = new Waiter(number, ++_lastTicket);
            epoll_event request = new() { events = (int)((uint)readiness | OneShot) };
            request.data.u64 = Key(number, waiter.Ticket);
            LinuxException.ThrowIfNegative(LibC.epoll_ctl(_epoll.Number, LibC.EPOLL_CTL_ADD, number, &request), $"epoll_ctl(add {number})");
            _waiters.Add(number, waiter);
            return waiter;
        }
    }

    private unsafe void Remove(Waiter waiter)
    {
        lock (_gate)
        {
            if (!_epoll.IsClosed)
            {
                epoll_event ignored;
                _ = LibC.epoll_ctl(_epoll.Number, LibC.EPOLL_CTL_DEL, waiter.Number, &ignored);
            }

            _waiters.Remove(waiter.Number);
        }
    }

    private unsafe void Run()
    {
        epoll_event* ready = stackalloc epoll_event[BatchLength];
        while (!_stopping)
        {
            int count = LibC.epoll_wait(_epoll.Number, ready, BatchLength, -1);
            for (int i = 0; i < count; i++)
            {
                Complete(ready[i].data.u64);
            }
        }
    }

    private void Complete(ulong key)
    {
        if (key == Key(_wake.Descriptor.Number, 0))
        {
            _ = _wake.TryDrain();
            return;
        }

        lock (_gate)
        {
            // The ticket tells an event of an earlier wait, taken in the same batch, from one of this wait.
            if (_waiters.TryGetValue((int)(uint)key, out Waiter? waiter) && waiter.Ticket == (uint)(key >> 32))
            {
                _ = waiter.Source.TrySetResult();
            }
        }
    }

    private static ulong Key(int number, uint ticket) => (ulong)ticket << 32 | (uint)number;

    private sealed class Waiter(int number, uint ticket)
    {
        public int Number { get; } = number;

        public uint Ticket { get; } = ticket;

        public TaskCompletionSource Source { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
