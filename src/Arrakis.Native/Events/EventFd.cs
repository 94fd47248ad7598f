using Tmds.Linux;

namespace Arrakis.Native.Events;

/// <summary>A counter that wakes who waits for it (eventfd(2)): doorbells towards a device, events towards an application.</summary>
public sealed unsafe class EventFd : IDisposable
{
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
    public bool WaitAny(EventFd other, int milliseconds)
    {
        ArgumentNullException.ThrowIfNull(other);
        bool held = false;
        bool otherHeld = false;
        try
        {
            // Neither number may become another file's while this thread sleeps.
            Descriptor.DangerousAddRef(ref held);
            other.Descriptor.DangerousAddRef(ref otherHeld);
            pollfd* requests = stackalloc pollfd[2];
            requests[0] = new() { fd = (int)Descriptor.DangerousGetHandle(), events = (short)LibC.POLLIN };
            requests[1] = new() { fd = (int)other.Descriptor.DangerousGetHandle(), events = (short)LibC.POLLIN };
            ulong count;
            bool signalled = LibC.poll(requests, 2, milliseconds) > 0;
            for (int i = 0; signalled && i < 2; i++)
            {
                _ = LibC.read(requests[i].fd, &count, sizeof(ulong));
            }

            return signalled;
        }
        finally
        {
            if (held)
            {
                Descriptor.DangerousRelease();
            }

            if (otherHeld)
            {
                other.Descriptor.DangerousRelease();
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
