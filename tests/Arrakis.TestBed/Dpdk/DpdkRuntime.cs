namespace Arrakis.TestBed.Dpdk;

/// <summary>What DPDK leaves on the machine.</summary>
public static class DpdkRuntime
{
    private const string Folder = "/var/run/dpdk";

    /// <summary>Deletes what a process that has ended leaves.</summary>
    /// <param name="prefix">Its --file-prefix.</param>
    public static void Delete(string prefix)
    {
        string files = Path.Combine(Folder, prefix);
        if (Directory.Exists(files))
        {
            Directory.Delete(files, recursive: true);
        }
    }
}
