using Tmds.Linux;

namespace Arrakis.Native.Events;

/// <summary>A counter that wakes who waits for it (eventfd(2)): doorbells towards a device, events towards an application.</summary>
public sealed unsafe class EventFd : IDisposable
{
    /// <summary>The most other counters that <see cref="WaitAny(ReadOnlySpan{EventFd}, int)"/> takes.</summary>
    public const int MaxOthers = 15;

    /// <summary>Makes a new counter, non-blocking.</summary>
    public EventFd()
        : this(Create())
    {
    }

    /// <summary>Wraps a counter that came from elsewhere.</summary>
    public EventFd(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        Descriptor = descriptor;
    }

    /// <summary>The open file.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>Adds one and wakes the waiters. A counter that is full is already signalled; that is no error.</summary>
    public void Signal()
    {
        ulong one = 1;
        _ = LibC.write(Descriptor.Number, &one, sizeof(ulong));
    }

    /// <summary>Sets the counter to zero; whether it was signalled.</summary>
    public bool TryDrain()
    {
        // Another holder of the counter may have made it blocking; RWF_NOWAIT holds for this read whatever it did.
        ulong count;
        iovec vector = new() { iov_base = &count, iov_len = sizeof(ulong) };
        return LibcExtra.ReadVectorNoWait(Descriptor.Number, &vector, 1, -1, LibcExtra.RwfNoWait) == sizeof(ulong);
    }

    /// <summary>Blocks until the counter is signalled, and drains it. False after the timeout.</summary>
    /// <param name="milliseconds">-1 waits without end.</param>
    public bool Wait(int milliseconds)
    {
        long deadline = milliseconds < 0 ? long.MaxValue : Environment.TickCount64 + milliseconds;
        while (true)
        {
            pollfd request = new() { fd = Descriptor.Number, events = (short)LibC.POLLIN };
            int ready = LibC.poll(&request, 1, milliseconds);
            if (ready > 0 && TryDrain())
            {
                return true;
            }

            // A signal, such as the runtime's own, ends a poll early; another holder may have drained the counter first.
            long left = milliseconds < 0 ? -1 : deadline - Environment.TickCount64;
            if (ready == 0 || left == 0 || (milliseconds >= 0 && left < 0) || (ready > 0 && (request.revents & LibC.POLLNVAL) != 0))
            {
                return false;
            }

            milliseconds = (int)left;
        }
    }

    /// <summary>Blocks until this counter or another is signalled, and drains both. False after the timeout.</summary>
    /// <param name="other">The other counter.</param>
    /// <param name="milliseconds">-1 waits without end.</param>
    public bool WaitAny(EventFd other, int milliseconds) => WaitAny([other], milliseconds);

    /// <summary>Blocks until this counter or one of others is signalled, and drains all that are. False after the timeout.</summary>
    /// <param name="others">The other counters.</param>
    /// <param name="milliseconds">-1 waits without end.</param>
    public bool WaitAny(ReadOnlySpan<EventFd> others, int milliseconds)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(others.Length, MaxOthers);
        int held = 0;
        try
        {
            // No number may become another file's while this thread sleeps.
            pollfd* requests = stackalloc pollfd[MaxOthers + 1];
            for (; held <= others.Length; held++)
            {
                Descriptor descriptor = (held == 0 ? this : others[held - 1]).Descriptor;
                bool isHeld = false;
                descriptor.DangerousAddRef(ref isHeld);
                requests[held] = new() { fd = (int)descriptor.DangerousGetHandle(), events = (short)LibC.POLLIN };
            }

            ulong count;
            bool signalled = LibC.poll(requests, (uint)held, milliseconds) > 0;
            for (int i = 0; signalled && i < held; i++)
            {
                _ = LibC.read(requests[i].fd, &count, sizeof(ulong));
            }

            return signalled;
        }
        finally
        {
            while (--held >= 0)
            {
                (held == 0 ? this : others[held - 1]).Descriptor.DangerousRelease();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();

    private static Descriptor Create()
    {
        int number = LibC.eventfd(0, LibC.EFD_CLOEXEC | LibC.EFD_NONBLOCK);
        LinuxException.ThrowIfNegative(number, "eventfd");
        return new Descriptor(number);
    }
}
