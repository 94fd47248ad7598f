using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Arrakis.Native.Storage;

/// <summary>Where a file ends: a block device has an end too, though its length as a file is zero.</summary>
public static class FileEnd
{
    /// <summary>Finds it.</summary>
    /// <param name="file">The file; its position is the end afterwards.</param>
    /// <returns>Bytes.</returns>
    /// <exception cref="LinuxException">It has none.</exception>
    public static long Find(SafeFileHandle file)
    {
        ArgumentNullException.ThrowIfNull(file);
        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
            long end = LibC.lseek((int)file.DangerousGetHandle(), 0, LibC.SEEK_END);
            LinuxException.ThrowIfNegative(end, "lseek(SEEK_END)");
            return end;
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }
}
