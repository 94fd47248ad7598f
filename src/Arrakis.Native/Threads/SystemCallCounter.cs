using System.Globalization;
using Tmds.Linux;

namespace Arrakis.Native.Threads;

/// <summary>Counts the system calls of one thread with the kernel's raw_syscalls:sys_enter tracepoint (perf_event_open(2)); needs tracefs and root.</summary>
public sealed unsafe class SystemCallCounter : IDisposable
{
    private const string IdFile = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id";
    private const int TracepointType = 2; // PERF_TYPE_TRACEPOINT
    private const int AttributeSize = 128;
    private const int CloseOnExec = 8; // PERF_FLAG_FD_CLOEXEC

    private readonly Descriptor _event;

    /// <summary>Starts to count.</summary>
    /// <param name="threadId">The thread, of any process.</param>
    /// <exception cref="LinuxException">Not permitted, or no such thread.</exception>
    /// <exception cref="FileNotFoundException">tracefs is not mounted at /sys/kernel/tracing.</exception>
    public SystemCallCounter(int threadId)
    {
        // struct perf_event_attr: type u32, size u32, config u64; zero elsewhere is a plain counter.
        byte* attribute = stackalloc byte[AttributeSize];
        new Span<byte>(attribute, AttributeSize).Clear();
        *(uint*)attribute = TracepointType;
        *(uint*)(attribute + 4) = AttributeSize;
        *(ulong*)(attribute + 8) = ulong.Parse(File.ReadAllText(IdFile), CultureInfo.InvariantCulture);
        nint number = LibcExtra.Syscall((nint)LibcExtra.SysPerfEventOpen, (nint)attribute, threadId, -1, -1, CloseOnExec);
        LinuxException.ThrowIfNegative(number, $"perf_event_open(system calls of thread {threadId})");
        _event = new Descriptor((int)number);
    }

    /// <summary>System calls since the start.</summary>
    public long Count
    {
        get
        {
            long count;
            long read = LibC.read(_event.Number, &count, sizeof(long));
            LinuxException.ThrowIfNegative(read, "read(perf event)");
            return count;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _event.Dispose();
}
