using System.Globalization;
using Arrakis.Native;
using Arrakis.Native.Processes;
using Arrakis.Native.Sockets;

namespace Arrakis.ControlPlane.ControlSocket;

/// <summary>Who is at the other end of a control connection.</summary>
internal sealed class PeerIdentity : IDisposable
{
    private readonly IReadOnlyList<uint> _groups;

    internal PeerIdentity(int processId, uint userId, uint groupId, IReadOnlyList<uint> groups, string executable, FileIdentity? executableFile, ProcessDescriptor process)
    {
        ProcessId = processId;
        UserId = userId;
        GroupId = groupId;
        _groups = groups;
        Executable = executable;
        ExecutableFile = executableFile;
        Process = process;
    }

    /// <summary>The process's number.</summary>
    internal int ProcessId { get; }

    /// <summary>Effective user when it connected.</summary>
    internal uint UserId { get; }

    /// <summary>Effective group when it connected.</summary>
    internal uint GroupId { get; }

    /// <summary>Its program; empty where it cannot be read.</summary>
    internal string Executable { get; }

    /// <summary>The file that its program is; null where it cannot be read.</summary>
    internal FileIdentity? ExecutableFile { get; }

    /// <summary>The process itself.</summary>
    internal ProcessDescriptor Process { get; }

    internal bool IsInGroup(uint group) => group == GroupId || _groups.Contains(group);

    /// <inheritdoc/>
    public void Dispose() => Process.Dispose();

    /// <inheritdoc/>
    public override string ToString() => $"pid {ProcessId} uid {UserId} gid {GroupId} program {Executable}";
}

/// <summary>Finds out who a peer is; tests script it.</summary>
internal interface IPeerInspector
{
    /// <summary>Looks at the peer as it is now. Null where its process has ended.</summary>
    /// <exception cref="LinuxException">No descriptor is left.</exception>
    PeerIdentity? TryInspect(UnixSocket socket);
}

/// <summary>
/// Asks the kernel. What /proc says of a number holds only if the process of the pidfd is alive after the reading: the
/// number cannot have gone to another process before that one is gone.
/// </summary>
internal sealed class PeerInspector : IPeerInspector
{
    private const int OutOfDescriptors = 24; // EMFILE
    private const int OutOfDescriptorsInSystem = 23; // ENFILE

    /// <inheritdoc/>
    public PeerIdentity? TryInspect(UnixSocket socket)
    {
        PeerCredentials credentials = socket.PeerCredentials;
        ProcessDescriptor process;
        try
        {
            process = socket.OpenPeerProcess();
        }
        catch (LinuxException e) when (e.Errno is not (OutOfDescriptors or OutOfDescriptorsInSystem))
        {
            return null;
        }

        try
        {
            string executable = ReadExecutable(credentials.ProcessId);
            FileIdentity? executableFile = FileIdentity.TryRead($"/proc/{credentials.ProcessId}/exe");
            IReadOnlyList<uint> groups = ReadGroups(credentials.ProcessId);
            if (!process.HasExited)
            {
                return new PeerIdentity(credentials.ProcessId, credentials.UserId, credentials.GroupId, groups, executable, executableFile, process);
            }

            process.Dispose();
            return null;
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    private static string ReadExecutable(int processId)
    {
        try
        {
            return new FileInfo($"/proc/{processId}/exe").LinkTarget ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static List<uint> ReadGroups(int processId)
    {
        List<uint> groups = [];
        try
        {
            string? line = File.ReadLines($"/proc/{processId}/status").FirstOrDefault(l => l.StartsWith("Groups:", StringComparison.Ordinal));
            foreach (string field in (line ?? "Groups:")["Groups:".Length..].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            {
                if (uint.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out uint group))
                {
                    groups.Add(group);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return groups; // Fewer groups match fewer rules.
        }

        return groups;
    }
}
