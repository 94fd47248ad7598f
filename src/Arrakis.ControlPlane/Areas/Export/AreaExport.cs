using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Fuse;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Areas.Export;

/// <summary>Shows storage areas as files of a folder, by threads of its own, so that "cp" and "dd" reach them by name.</summary>
internal sealed class AreaExport : IDisposable
{
    private const string SourceName = "arrakis";
    private const int Threads = 4; // Each waits for the disk; so many transfers are under way.

    private readonly FuseMount _mount;
    private readonly ExportSession _session;
    private readonly ILogger _log;
    private readonly Thread[] _threads;

    private AreaExport(FuseMount mount, ExportSession session, ILogger log)
    {
        _mount = mount;
        _session = session;
        _log = log;
        _threads = [.. Enumerable.Range(0, Threads).Select(i => new Thread(Serve) { Name = $"areas {i}", IsBackground = true })];
    }

    /// <summary>The folder.</summary>
    internal string Path => _mount.Path;

    /// <summary>Mounts the folder, which is made where it is not there; what a daemon that was killed left mounted is replaced.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="areas">What to show.</param>
    /// <param name="time">What the files' times are said to be.</param>
    /// <param name="log">Faults go there.</param>
    /// <exception cref="ArrakisException">It cannot be mounted.</exception>
    internal static AreaExport Start(string path, IExportedAreas areas, DateTimeOffset time, ILogger log)
    {
        try
        {
            // Twice where one was mounted on the other.
            while (FuseMount.IsOrphan(path))
            {
                FuseMount.Unmount(path);
            }

            Directory.CreateDirectory(path);
            var export = new AreaExport(FuseMount.Mount(path, SourceName), new ExportSession(areas, time), log);
            foreach (Thread thread in export._threads)
            {
                thread.Start();
            }

            return export;
        }
        catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException)
        {
            throw new ArrakisException(
                ErrorCode.DeviceUnavailable,
                $"Storage areas cannot be shown as files below {path}: {e.Message.TrimEnd('.')}.",
                "Run the daemon as root on a kernel that has FUSE (/dev/fuse), or leave 'export' out of its configuration.",
                e);
        }
    }

    /// <summary>Ends the requests that are under way, and unmounts.</summary>
    public void Dispose()
    {
        _mount.Stop();
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        _mount.Dispose();
    }

    private void Serve()
    {
        byte[] request = new byte[ExportSession.RequestLength];
        byte[] reply = new byte[ExportSession.ReplyLength];
        try
        {
            while (_mount.Receive(request) is > 0 and int length)
            {
                if (_session.Answer(request.AsSpan(0, length), reply) is > 0 and int replyLength)
                {
                    _mount.Send(reply.AsSpan(0, replyLength));
                }
            }
        }
        catch (LinuxException e)
        {
            _log.LogError("Storage areas are not shown as files below {Path} any more: {Cause}. Start the daemon again.", Path, e.Message);
        }
    }
}
