using System.Text;
using Tmds.Linux;

namespace Arrakis.Native.Storage;

/// <summary>A block device file of /dev.</summary>
public static class BlockDevice
{
    /// <summary>Whether somebody has it for himself: a file system in any mount namespace, swap, a device mapper, a RAID. False where there is no such file.</summary>
    /// <remarks>An exclusive open of a block device fails with EBUSY while another one lasts, on the whole device or on a partition of it (open(2), O_EXCL).</remarks>
    public static unsafe bool IsClaimed(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
        {
            int number = LibC.open(name, LibC.O_RDONLY | LibC.O_EXCL | LibC.O_CLOEXEC | LibC.O_NONBLOCK);
            if (number < 0)
            {
                return LibC.errno == LibC.EBUSY;
            }

            new Descriptor(number).Dispose();
            return false;
        }
    }
}
