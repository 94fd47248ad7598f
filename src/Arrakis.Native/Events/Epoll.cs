using Tmds.Linux;

namespace Arrakis.Native.Events;

/// <summary>When a descriptor is reported (epoll(7)).</summary>
public enum EpollMode : uint
{
    /// <summary>At each wait, as long as it is ready.</summary>
    Level = 0,

    /// <summary>Once for each time that it becomes ready; an eventfd need then never be read (EPOLLET).</summary>
    Edge = 1u << 31,

    /// <summary>Once, until <see cref="Epoll.Rearm"/> (EPOLLONESHOT).</summary>
    OneShot = 1u << 30,
}

/// <summary>Waits for many descriptors in one thread (epoll(7)). Other threads may add and remove meanwhile.</summary>
public sealed unsafe class Epoll : IDisposable
{
    private const int BatchLength = 64;

    private readonly Descriptor _epoll;

    /// <summary>Makes an empty set.</summary>
    public Epoll()
    {
        int number = LibC.epoll_create1(LibC.EPOLL_CLOEXEC);
        LinuxException.ThrowIfNegative(number, "epoll_create1");
        _epoll = new Descriptor(number);
    }

    /// <summary>Adds a descriptor.</summary>
    /// <param name="descriptor">To be removed before it is closed, if the file is open elsewhere too.</param>
    /// <param name="token">What <see cref="Wait"/> reports.</param>
    /// <param name="readiness">What to wait for.</param>
    /// <param name="mode">When to report it.</param>
    /// <exception cref="LinuxException">The descriptor is of a kind that cannot be waited for (EPERM).</exception>
    public void Add(Descriptor descriptor, int token, Readiness readiness = Readiness.Read, EpollMode mode = EpollMode.Level) =>
        Control(LibC.EPOLL_CTL_ADD, descriptor, token, readiness, mode);

    /// <summary>Reports a one-shot descriptor again, at once if it is ready.</summary>
    public void Rearm(Descriptor descriptor, int token, Readiness readiness = Readiness.Read) =>
        Control(LibC.EPOLL_CTL_MOD, descriptor, token, readiness, EpollMode.OneShot);

    /// <summary>Changes what a descriptor is waited for.</summary>
    public void Change(Descriptor descriptor, int token, Readiness readiness) =>
        Control(LibC.EPOLL_CTL_MOD, descriptor, token, readiness, EpollMode.Level);

    /// <summary>Removes a descriptor.</summary>
    public void Remove(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        epoll_event ignored;
        _ = LibC.epoll_ctl(_epoll.Number, LibC.EPOLL_CTL_DEL, descriptor.Number, &ignored);
    }

    /// <summary>Blocks until something is ready. Returns how many tokens were written; zero after the timeout or a signal.</summary>
    /// <param name="tokens">The tokens of what is ready.</param>
    /// <param name="milliseconds">-1 waits without end.</param>
    public int Wait(Span<int> tokens, int milliseconds)
    {
        epoll_event* ready = stackalloc epoll_event[BatchLength];
        int count = LibC.epoll_wait(_epoll.Number, ready, Math.Min(BatchLength, tokens.Length), milliseconds);
        for (int i = 0; i < count; i++)
        {
            tokens[i] = ready[i].data.fd;
        }

        return Math.Max(count, 0);
    }

    /// <inheritdoc/>
    public void Dispose() => _epoll.Dispose();

    private void Control(int operation, Descriptor descriptor, int token, Readiness readiness, EpollMode mode)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        epoll_event request = new() { events = (int)((uint)readiness | (uint)mode) };
        request.data.fd = token;
        LinuxException.ThrowIfNegative(LibC.epoll_ctl(_epoll.Number, operation, descriptor.Number, &request), $"epoll_ctl({operation}, {descriptor.Number})");
    }
}
