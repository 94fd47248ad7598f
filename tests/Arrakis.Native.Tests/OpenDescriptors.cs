namespace Arrakis.Native.Tests;

/// <summary>Counts the process's descriptors.</summary>
internal static class OpenDescriptors
{
    /// <summary>How many are open, after all unreferenced ones are finalized.</summary>
    public static int Count()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Directory.GetFileSystemEntries("/proc/self/fd").Length;
    }

    /// <summary>Runs an action and asserts that it leaves no descriptor; without any finalizer's help.</summary>
    public static void AssertNoneLeft(Action action)
    {
        action(); // Once for what the runtime opens on first use.
        int before = Count();
        GC.TryStartNoGCRegion(100_000_000);
        try
        {
            action();
            Assert.Equal(before, Directory.GetFileSystemEntries("/proc/self/fd").Length);
        }
        finally
        {
            GC.EndNoGCRegion();
        }
    }
}
