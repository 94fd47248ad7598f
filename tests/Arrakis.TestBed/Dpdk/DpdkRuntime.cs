namespace Arrakis.TestBed.Dpdk;

/// <summary>What DPDK leaves on the machine.</summary>
public static class DpdkRuntime
{
    private const string Root = "/var/run/dpdk";

    /// <summary>Deletes the files of a process that has ended.</summary>
    /// <param name="prefix">Its --file-prefix.</param>
    public static void Delete(string prefix)
    {
        string files = Path.Combine(Root, prefix);
        if (Directory.Exists(files))
        {
            Directory.Delete(files, recursive: true);
        }
    }
}
