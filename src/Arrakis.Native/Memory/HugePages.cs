using System.Globalization;

namespace Arrakis.Native.Memory;

/// <summary>The machine's pool of 2 MiB pages (Documentation/admin-guide/mm/hugetlbpage.rst).</summary>
public static class HugePages
{
    private const string Folder = "/sys/kernel/mm/hugepages/hugepages-2048kB/";

    /// <summary>Pages in the pool; zero where the kernel has none.</summary>
    public static int Total => ReadCount("nr_hugepages");

    /// <summary>Pages that are free.</summary>
    public static int Free => ReadCount("free_hugepages");

    /// <summary>Asks the kernel for a pool of so many pages and returns how many there are then (root).</summary>
    public static int Reserve(int count)
    {
        File.WriteAllText(Folder + "nr_hugepages", count.ToString(CultureInfo.InvariantCulture));
        return Total;
    }

    private static int ReadCount(string file) =>
        File.Exists(Folder + file) ? int.Parse(File.ReadAllText(Folder + file), CultureInfo.InvariantCulture) : 0;
}
