namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>Counts what a process has open.</summary>
internal static class OpenFiles
{
    private static readonly string[] s_kinds = ["socket:", "anon_inode:", "/memfd:"];

    /// <summary>Sockets, memory files, events and processes; others may come at any time, as assemblies when they are first needed.</summary>
    internal static int CountOf(int processId) => Directory.GetFileSystemEntries($"/proc/{processId}/fd").Count(static path =>
        new FileInfo(path).LinkTarget is { } target && s_kinds.Any(kind => target.StartsWith(kind, StringComparison.Ordinal)));
}
