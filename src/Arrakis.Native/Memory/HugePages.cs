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

    /// <summary>
    /// Whether so many can be had, as far as the pool says: free, promised to nobody else, or allowed beyond its size. True
    /// where there is no pool to ask.
    /// </summary>
    internal static bool MayHave(long count) =>
        !Directory.Exists(Folder)
        || count <= (long)Free - ReadCount("resv_hugepages") + Math.Max(0, ReadCount("nr_overcommit_hugepages") - ReadCount("surplus_hugepages"));

    /// <summary>Asks the kernel for a pool of so many pages and returns how many there are then (root).</summary>
    public static int Reserve(int count)
    {
        File.WriteAllText(Folder + "nr_hugepages", count.ToString(CultureInfo.InvariantCulture));
        return Total;
    }

    private static int ReadCount(string file) =>
        File.Exists(Folder + file) ? int.Parse(File.ReadAllText(Folder + file), CultureInfo.InvariantCulture) : 0;
}
