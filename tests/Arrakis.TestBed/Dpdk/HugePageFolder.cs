using System.Globalization;
using Arrakis.TestBed.Machine;

namespace Arrakis.TestBed.Dpdk;

/// <summary>A hugetlbfs of one's own, which DPDK needs, with a folder beside it for sockets.</summary>
public sealed class HugePageFolder : IAsyncDisposable
{
    private static int s_count;

    private HugePageFolder(string folder) => Folder = folder;

    /// <summary>For sockets and DPDK's runtime files.</summary>
    public string Folder { get; }

    /// <summary>The mounted file system.</summary>
    public string Pages => Path.Combine(Folder, "pages");

    /// <summary>Mounts it; it is unmounted at the disposal.</summary>
    /// <exception cref="InvalidOperationException">It cannot be mounted; nothing is left behind.</exception>
    public static async Task<HugePageFolder> MountAsync()
    {
        var folder = new HugePageFolder(string.Create(CultureInfo.InvariantCulture, $"/run/arrakis-dpdk-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}"));
        _ = Directory.CreateDirectory(folder.Pages);
        try
        {
            await Command.RunAsync("mount", ["-t", "hugetlbfs", "-o", "pagesize=2M", "none", folder.Pages], CancellationToken.None);
            return folder;
        }
        catch
        {
            Directory.Delete(folder.Folder, recursive: true);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Command.RunAsync("umount", [Pages], CancellationToken.None);
        Directory.Delete(Folder, recursive: true);
    }
}
