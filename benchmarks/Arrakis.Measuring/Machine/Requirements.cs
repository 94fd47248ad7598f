using Arrakis.Measuring.Sessions;
using Arrakis.Native.Threads;

namespace Arrakis.Measuring.Machine;

/// <summary>Whether the machine has what a run needs.</summary>
public static class Requirements
{
    /// <summary>Everything that is missing, each with its remedy; empty where the run can begin.</summary>
    /// <param name="needs">What is needed.</param>
    /// <param name="isRoot">Whether this process may do what root may.</param>
    public static IReadOnlyList<string> Missing(SessionNeeds needs, bool isRoot)
    {
        List<string> missing = [];
        if (!isRoot)
        {
            missing.Add("Root: network namespaces, hugepages, mounts and the counting of system calls need it. Run it with sudo.");
        }

        missing.AddRange(needs.AllPrograms
            .Where(static program => !IsOnPath(program.Name))
            .Select(static program => $"The program {program.Name}: install {program.Package} (scripts/setup does)."));
        if (needs.HasUplink && !File.Exists("/dev/net/tun"))
        {
            missing.Add("/dev/net/tun: load the kernel module tun (modprobe tun).");
        }

        IReadOnlyList<int> allowed = PinnedThread.AllowedCores();
        missing.AddRange(needs.Cores.Except(allowed).Select(core => $"Core {core}: this process may use only {string.Join(", ", allowed)}. Name others with {needs.CoreOptions}."));
        return missing;
    }

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Append("/usr/sbin")
        .Any(folder => File.Exists(Path.Combine(folder, program)));
}
