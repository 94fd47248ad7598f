using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Arrakis.Native;

/// <summary>An owned file descriptor; closed once, on dispose or finalization.</summary>
public sealed class Descriptor : SafeHandle
{
    /// <summary>Takes ownership of a descriptor.</summary>
    public Descriptor(int number)
        : base(-1, ownsHandle: true)
    {
        SetHandle(number);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle < 0;

    /// <summary>The number, valid while this object lives and is not disposed.</summary>
    /// <exception cref="ObjectDisposedException">The descriptor is closed.</exception>
    public int Number
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (int)handle;
        }
    }

    /// <summary>Opens a file, close-on-exec.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="flags">Of open(2).</param>
    /// <exception cref="LinuxException">It is not there, or may not be opened so.</exception>
    public static unsafe Descriptor Open(string path, int flags)
    {
        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(path + "\0"))
        {
            int number = LibC.open(name, flags | LibC.O_CLOEXEC);
            LinuxException.ThrowIfNegative(number, $"open({path})");
            return new Descriptor(number);
        }
    }

    /// <summary>Makes a second descriptor of the same open file, close-on-exec.</summary>
    public Descriptor Duplicate()
    {
        int copy = LibC.fcntl(Number, LibC.F_DUPFD_CLOEXEC, 0);
        LinuxException.ThrowIfNegative(copy, "fcntl(F_DUPFD_CLOEXEC)");
        return new Descriptor(copy);
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => LibC.close((int)handle) == 0;
}
