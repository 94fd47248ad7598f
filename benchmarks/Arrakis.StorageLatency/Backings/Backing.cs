using System.Globalization;
using Arrakis.TestBed.Machine;

namespace Arrakis.StorageLatency.Backings;

/// <summary>A medium: a file for the device's areas, and a folder of the kernel's on the same.</summary>
/// <param name="Name">Its name in the result.</param>
/// <param name="AreaFile">The file of the areas.</param>
/// <param name="Folder">Where the kernel's files are.</param>
internal sealed record Backing(string Name, string AreaFile, string Folder)
{
    private const long FileLength = 64L << 20;
    private const long FileSystemLength = 512L << 20;

    /// <summary>The machine's disk: both are files on it.</summary>
    public static async Task<Backing> MakeDiskAsync(string folder, Teardown teardown, CancellationToken cancellation)
    {
        string own = MakeFolder(folder, teardown);
        string file = Path.Combine(own, "areas");
        await File.WriteAllBytesAsync(file, new byte[FileLength], cancellation);
        return new Backing("disk", file, own);
    }

    /// <summary>Memory: a file on tmpfs, which stands for a medium that keeps what is written without power; the kernel's is ext4 on a loop device over another.</summary>
    public static async Task<Backing> MakeMemoryAsync(string folder, Teardown teardown, CancellationToken cancellation)
    {
        string own = MakeFolder(folder, teardown);
        string file = Path.Combine(own, "areas");
        await File.WriteAllBytesAsync(file, new byte[FileLength], cancellation);
        string image = Path.Combine(own, "ext4");
        await using (FileStream stream = File.Create(image))
        {
            stream.SetLength(FileSystemLength);
        }

        string mounted = Path.Combine(own, "mounted");
        _ = Directory.CreateDirectory(mounted);
        await Command.RunAsync("mkfs.ext4", ["-q", "-F", image], cancellation);
        await Command.RunAsync("mount", ["-o", "loop", image, mounted], cancellation);
        teardown.Add("unmount the loop device", () => Command.RunAsync("umount", [mounted], CancellationToken.None));
        return new Backing("memory", file, mounted);
    }

    private static string MakeFolder(string folder, Teardown teardown)
    {
        string own = Path.Combine(Path.GetFullPath(folder), string.Create(CultureInfo.InvariantCulture, $"arrakis-storage-{Environment.ProcessId}"));
        _ = Directory.CreateDirectory(own);
        teardown.Add($"remove {own}", () => Directory.Delete(own, recursive: true));
        return own;
    }
}
