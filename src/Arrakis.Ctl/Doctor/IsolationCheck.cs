using System.Globalization;

namespace Arrakis.Ctl.Doctor;

/// <summary>Does the kernel keep its own work off some cores, for pollers?</summary>
internal static class IsolationCheck
{
    private const string Name = "core isolation";
    private const string Partition = "sys/fs/cgroup/cpuset.cpus.isolated";
    private static readonly string[] s_options = ["isolcpus", "nohz_full", "rcu_nocbs"];

    internal static IEnumerable<Finding> Run(Machine machine)
    {
        string[] given = [.. s_options.Where(option => machine.CommandLineOption(option) is { Length: > 0 }).Select(option => $"{option}={machine.CommandLineOption(option)}")];
        string partition = machine.ReadText(Partition) ?? "";
        if (given is [] && partition.Length == 0)
        {
            yield return new Finding(
                Name,
                Severity.Note,
                "No core is kept for pollers: the kernel's timers and other programs run on all of them.",
                "Where rare delays of some microseconds matter, boot with isolcpus=, nohz_full= and rcu_nocbs= for the pollers' cores.");
            yield break;
        }

        string seen = string.Join(", ", given.Concat(partition.Length == 0 ? [] : [$"cores {partition} in an isolated cpuset"]));
        string[] lacking = [.. s_options.Where(option => machine.CommandLineOption(option) is null)];
        yield return given is [] || lacking is []
            ? new Finding(Name, Severity.Ok, $"{seen}.")
            : new Finding(Name, Severity.Note, $"{seen}.", string.Create(CultureInfo.InvariantCulture, $"Boot with {string.Join(", ", lacking.Select(static option => option + "="))} for the same cores too."));
    }
}
