using System.Globalization;

namespace Arrakis.Ctl.Doctor;

/// <summary>Is there a pool of large pages for queue memory? No hugetlbfs needs to be mounted for it.</summary>
internal static class HugePagesCheck
{
    private const string Name = "hugepages";
    private const string Pool = "sys/kernel/mm/hugepages/hugepages-2048kB";
    private const string Nodes = "sys/devices/system/node";
    private const string Remedy = "Reserve some: sysctl -w vm.nr_hugepages=64, and for all boots in /etc/sysctl.d. A binding of default size takes three.";

    internal static IEnumerable<Finding> Run(Machine machine)
    {
        if (machine.ReadNumber($"{Pool}/nr_hugepages") is not { } total || machine.ReadNumber($"{Pool}/free_hugepages") is not { } free)
        {
            yield return new Finding(Name, Severity.Note, "The kernel has no pages of 2 MiB: queue memory is of base pages, which costs TLB misses.", "Install a kernel with CONFIG_HUGETLBFS.");
            yield break;
        }

        string seen = string.Create(CultureInfo.InvariantCulture, $"{total} pages of 2 MiB, {free} free{PerNode(machine)}.");
        yield return total == 0
            ? new Finding(Name, Severity.Note, "None: queue memory is of base pages, which costs TLB misses.", Remedy)
            : free == 0
                ? new Finding(Name, Severity.Note, seen, "Reserve more: the next binding's memory would be of base pages. " + Remedy)
                : new Finding(Name, Severity.Ok, seen);
    }

    private static string PerNode(Machine machine)
    {
        string[] nodes =
        [
            .. machine.Names(Nodes, "node*")
                .Select(node => (Node: node, Free: machine.ReadNumber($"{Nodes}/{node}/hugepages/hugepages-2048kB/free_hugepages")))
                .Where(static entry => entry.Free is not null)
                .Select(static entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Free} on {entry.Node}")),
        ];
        return nodes.Length > 1 ? $" ({string.Join(", ", nodes)})" : "";
    }
}
