using System.Text;
using Tmds.Linux;

namespace Arrakis.Native;

/// <summary>Which file a path leads to, as the kernel tells files apart: a path alone does not, as each mount namespace may have another file there.</summary>
/// <param name="Device">The file system.</param>
/// <param name="Inode">The file in it.</param>
public readonly record struct FileIdentity(ulong Device, ulong Inode)
{
    /// <summary>Looks at the file that a path leads to, links followed; null where there is none.</summary>
    public static unsafe FileIdentity? TryRead(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
        {
            stat status;
            return LibC.stat(name, &status) == 0 ? new FileIdentity((ulong)status.st_dev, (ulong)status.st_ino) : null;
        }
    }
}
