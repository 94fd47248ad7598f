using Arrakis.Native.Threads;

namespace Arrakis.UdpLatency.Machine;

/// <summary>What the machine must have.</summary>
internal static class Requirements
{
    private static readonly string[] Programs = ["ip", "mount", "umount", "nsenter", "setsid"];

    /// <summary>Programs that a measurement beside DPDK needs.</summary>
    public static readonly IReadOnlyList<string> Dpdk = ["dpdk-testpmd", "stdbuf"];

    /// <summary>Everything that is missing, each with its remedy; empty where the run can begin.</summary>
    public static IReadOnlyList<string> Missing(IReadOnlyList<int> cores, bool isRoot, params IReadOnlyList<string> programs)
    {
        List<string> missing = [];
        if (!isRoot)
        {
            missing.Add("Root: network namespaces, hugepages, the uplink and the counting of system calls need it. Run it with sudo.");
        }

        foreach (string program in Programs.Where(program => !IsOnPath(program)))
        {
            missing.Add($"The program {program}: install iproute2 and util-linux (scripts/setup does).");
        }

        foreach (string program in programs.Where(program => !IsOnPath(program)))
        {
            missing.Add($"The program {program}: install dpdk-dev and coreutils (scripts/setup does).");
        }

        if (!File.Exists("/dev/net/tun"))
        {
            missing.Add("/dev/net/tun: load the kernel module tun (modprobe tun).");
        }

        IReadOnlyList<int> allowed = PinnedThread.AllowedCores();
        foreach (int core in cores.Except(allowed))
        {
            missing.Add($"Core {core}: this process may use only {string.Join(", ", allowed)}. Name others with --client-core and --server-core.");
        }

        return missing;
    }

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Append("/usr/sbin")
        .Any(folder => File.Exists(Path.Combine(folder, program)));
}
