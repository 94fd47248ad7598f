using System.Collections.Concurrent;
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

    private readonly Descriptor _epoll;
    private readonly EventFd _wake = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource> _waiters = new();
    private readonly Thread _thread;
    private volatile bool _stopping;

    /// <summary>Starts the thread.</summary>
    public unsafe ReadinessLoop()
    {
        int number = LibC.epoll_create1(LibC.EPOLL_CLOEXEC);
        LinuxException.ThrowIfNegative(number, "epoll_create1");
        _epoll = new Descriptor(number);
        epoll_event wake = new() { events = LibC.EPOLLIN };
        wake.data.fd = _wake.Descriptor.Number;
        LinuxException.ThrowIfNegative(LibC.epoll_ctl(number, LibC.EPOLL_CTL_ADD, _wake.Descriptor.Number, &wake), "epoll_ctl(wake)");
        _thread = new Thread(Run) { IsBackground = true, Name = "readiness" };
        _thread.Start();
    }

    /// <summary>Completes when the descriptor is ready. One waiter a descriptor at a time; use a duplicate for a second.</summary>
    /// <exception cref="InvalidOperationException">Somebody waits for this descriptor already.</exception>
    public async Task WaitAsync(Descriptor descriptor, Readiness readiness, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        ObjectDisposedException.ThrowIf(_stopping, this);
        cancellation.ThrowIfCancellationRequested();
        int number = descriptor.Number;
        var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_waiters.TryAdd(number, source))
        {
            throw new InvalidOperationException($"Descriptor {number} has a waiter already.");
        }

        bool added = false;
        descriptor.DangerousAddRef(ref added);
        try
        {
            Register(number, readiness);
            await using (cancellation.UnsafeRegister(static (state, token) => ((TaskCompletionSource)state!).TrySetCanceled(token), source))
            {
                await source.Task.ConfigureAwait(false);
            }
        }
        finally
        {
            _ = _waiters.TryRemove(new KeyValuePair<int, TaskCompletionSource>(number, source));
            Unregister(number);
            descriptor.DangerousRelease();
        }
    }

    /// <summary>Ends the thread; who still waits is cancelled.</summary>
    public void Dispose()
    {
        if (_stopping)
        {
            return;
        }

        _stopping = true;
        _wake.Signal();
        _thread.Join();
        foreach (TaskCompletionSource waiter in _waiters.Values)
        {
            _ = waiter.TrySetCanceled();
        }

        _epoll.Dispose();
        _wake.Dispose();
    }

    private unsafe void Register(int number, Readiness readiness)
    {
        epoll_event request = new() { events = (int)((uint)readiness | OneShot) };
        request.data.fd = number;
        LinuxException.ThrowIfNegative(LibC.epoll_ctl(_epoll.Number, LibC.EPOLL_CTL_ADD, number, &request), $"epoll_ctl(add {number})");
    }

    private unsafe void Unregister(int number)
    {
        if (!_epoll.IsClosed)
        {
            epoll_event ignored;
            _ = LibC.epoll_ctl(_epoll.Number, LibC.EPOLL_CTL_DEL, number, &ignored);
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
                int number = ready[i].data.fd;
                if (number == _wake.Descriptor.Number)
                {
                    _ = _wake.TryDrain();
                }
                else if (_waiters.TryRemove(number, out TaskCompletionSource? waiter))
                {
                    _ = waiter.TrySetResult();
                }
            }
        }
    }
}
