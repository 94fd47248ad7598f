using System.Globalization;

namespace Arrakis.TestBed.Processes;

/// <summary>Counts what a process has open (proc(5)): sockets, memory files, events and processes. The runtime opens assemblies and the like when it wants; they do not count.</summary>
public static class OpenDescriptors
{
    private const int PauseMilliseconds = 10;
    private static readonly string[] s_kinds = ["socket:", "anon_inode:", "/memfd:"];
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>How many this process has open now. No finalizer helps.</summary>
    public static int Count() => CountOf(Environment.ProcessId);

    /// <summary>How many a process has open now.</summary>
    /// <param name="processId">The process.</param>
    /// <exception cref="DirectoryNotFoundException">It has ended.</exception>
    public static int CountOf(int processId) =>
        Directory.GetFileSystemEntries(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/fd")).Count(static path =>
            new FileInfo(path).LinkTarget is { } target && s_kinds.Any(kind => target.StartsWith(kind, StringComparison.Ordinal)));

    /// <summary>Fails where this process keeps more open than before.</summary>
    /// <inheritdoc cref="AssertNoMoreThan(int, int)"/>
    public static void AssertNoMoreThan(int before) => AssertNoMoreThan(before, Environment.ProcessId);

    /// <summary>Fails where a process keeps more open than before. What another thread is about to close, or the runtime has for a while, gets a moment; a leak stays.</summary>
    /// <param name="before">How many were open before.</param>
    /// <param name="processId">The process.</param>
    /// <exception cref="InvalidOperationException">More stay open.</exception>
    public static void AssertNoMoreThan(int before, int processId)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (CountOf(processId) is var now && now > before)
        {
            if (TimeProvider.System.GetElapsedTime(start) > s_patience)
            {
                throw new InvalidOperationException($"Process {processId} has {now} descriptors open, and had {before} before.");
            }

            Thread.Sleep(PauseMilliseconds);
        }
    }
}
