namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>Counts the process's descriptors.</summary>
internal static class OpenDescriptors
{
    /// <summary>How many are open now; no finalizer helps.</summary>
    public static int Count() => Directory.GetFileSystemEntries("/proc/self/fd").Length;
}
