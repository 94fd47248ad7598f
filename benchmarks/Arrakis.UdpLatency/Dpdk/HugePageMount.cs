using Arrakis.TestBed.Machine;

namespace Arrakis.UdpLatency.Dpdk;

/// <summary>A hugetlbfs of one's own, which DPDK needs.</summary>
internal static class HugePageMount
{
    /// <summary>Mounts it, and unmounts it with the teardown.</summary>
    public static async Task<string> CreateAsync(Teardown teardown, CancellationToken cancellation)
    {
        string folder = $"/run/arrakis-pages-{Environment.ProcessId}";
        bool isMounted = false;
        teardown.Add("unmount DPDK's hugepages", async () =>
        {
            if (isMounted)
            {
                await Command.RunAsync("umount", [folder], CancellationToken.None);
            }

            if (Directory.Exists(folder))
            {
                Directory.Delete(folder);
            }
        });
        _ = Directory.CreateDirectory(folder);
        await Command.RunAsync("mount", ["-t", "hugetlbfs", "-o", "pagesize=2M", "none", folder], cancellation);
        isMounted = true;
        return folder;
    }
}
