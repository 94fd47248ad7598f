using System.Diagnostics;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>Counts the process's descriptors.</summary>
internal static class OpenDescriptors
{
    private static readonly string[] s_kinds = ["socket:", "anon_inode:", "/memfd:"];
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>How many sockets, memory files and events are open now; the runtime opens assemblies and the like when it wants. No finalizer helps.</summary>
    public static int Count() => Directory.GetFileSystemEntries("/proc/self/fd").Count(static path =>
        new FileInfo(path).LinkTarget is { } target && s_kinds.Any(kind => target.StartsWith(kind, StringComparison.Ordinal)));

    /// <summary>Fails if more stay open than there were before. What another thread is about to close has a moment for it; a leak stays.</summary>
    public static void AssertNoMoreThan(int before)
    {
        long start = Stopwatch.GetTimestamp();
        while (Count() > before && Stopwatch.GetElapsedTime(start) < s_patience)
        {
            Thread.Sleep(10);
        }

        Assert.InRange(Count(), 0, before);
    }
}
