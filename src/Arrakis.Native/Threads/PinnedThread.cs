using Tmds.Linux;

namespace Arrakis.Native.Threads;

/// <summary>Places the calling thread on a core (sched_setaffinity(2)).</summary>
public static unsafe class PinnedThread
{
    /// <summary>The calling thread's number, as in /proc/self/task.</summary>
    public static int CurrentId => (int)LibcExtra.Syscall((nint)LibcExtra.SysGettid, 0, 0, 0, 0, 0);

    /// <summary>Keeps the calling thread on one core.</summary>
    /// <exception cref="LinuxException">There is no such core, or the process may not use it (EINVAL).</exception>
    public static void Pin(int core)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(core);
        cpu_set_t set;
        LibC.CPU_ZERO(&set);
        LibC.CPU_SET(core, &set);
        LinuxException.ThrowIfNegative(LibC.sched_setaffinity(0, sizeof(cpu_set_t), &set), $"sched_setaffinity(core {core})");
    }

    /// <summary>Lets the calling thread use several cores.</summary>
    /// <exception cref="LinuxException">None of them is there, or the process may use none (EINVAL).</exception>
    public static void Allow(IReadOnlyList<int> cores)
    {
        ArgumentNullException.ThrowIfNull(cores);
        cpu_set_t set;
        LibC.CPU_ZERO(&set);
        foreach (int core in cores)
        {
            LibC.CPU_SET(core, &set);
        }

        LinuxException.ThrowIfNegative(LibC.sched_setaffinity(0, sizeof(cpu_set_t), &set), "sched_setaffinity");
    }

    /// <summary>The cores that the calling thread may use.</summary>
    public static IReadOnlyList<int> AllowedCores()
    {
        cpu_set_t set;
        LinuxException.ThrowIfNegative(LibC.sched_getaffinity(0, sizeof(cpu_set_t), &set), "sched_getaffinity");
        List<int> cores = [];
        for (int core = 0; core < sizeof(cpu_set_t) * 8; core++)
        {
            if (LibC.CPU_ISSET(core, &set))
            {
                cores.Add(core);
            }
        }

        return cores;
    }
}
