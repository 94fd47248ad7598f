using Arrakis.TestBed.Machine;

namespace Arrakis.Measuring.Machine;

/// <summary>The kernel's tracing files, by which system calls are counted.</summary>
public static class TraceFileSystem
{
    private const string Folder = "/sys/kernel/tracing";

    /// <summary>Mounts them where they are not, and unmounts them afterwards.</summary>
    /// <param name="teardown">Where the unmounting is noted.</param>
    /// <param name="cancellation">Ends it before it begins.</param>
    /// <exception cref="InvalidOperationException">They cannot be mounted.</exception>
    public static async Task EnsureAsync(Teardown teardown, CancellationToken cancellation)
    {
        if (Directory.Exists($"{Folder}/events"))
        {
            return;
        }

        teardown.Add("unmount tracefs", async () =>
        {
            if (Directory.Exists($"{Folder}/events"))
            {
                await Command.RunAsync("umount", [Folder], CancellationToken.None);
            }
        });
        await Command.RunAsync("mount", ["-t", "tracefs", "tracefs", Folder], cancellation);
    }
}
