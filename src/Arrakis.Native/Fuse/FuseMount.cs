using System.Text;
using Arrakis.Native.Events;
using Tmds.Linux;

namespace Arrakis.Native.Fuse;

/// <summary>A folder whose files this process answers for: a mount of the kernel's FUSE, and the channel of its requests (fuse(4)).</summary>
public sealed unsafe class FuseMount : IDisposable
{
    private const nuint Flags = 2 | 4 | 8 | 1024; // MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME
    private const int Detach = 2; // MNT_DETACH
    private const int NoSuchDevice = 19; // ENODEV: unmounted
    private const int NoEntry = 2; // ENOENT: the request was interrupted before it was read
    private const int Interrupted = 4; // EINTR
    private const int WouldBlock = 11; // EAGAIN
    private const int NotConnected = 107; // ENOTCONN

    private readonly Descriptor _channel;
    private readonly EventFd _stop = new();
    private bool _isMounted;

    private FuseMount(Descriptor channel, string path)
    {
        _channel = channel;
        Path = path;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Mounts on a folder. All users may use the files, as far as their modes and owners allow.</summary>
    /// <param name="path">The folder, which must be there.</param>
    /// <param name="source">What the list of mounts calls it.</param>
    /// <exception cref="LinuxException">There is no /dev/fuse, or no such folder, or the process may not mount.</exception>
    public static FuseMount Mount(string path, string source)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentException.ThrowIfNullOrEmpty(source);
        Descriptor channel = Descriptor.Open("/dev/fuse", LibC.O_RDWR | LibC.O_NONBLOCK);
        try
        {
            string options = $"fd={channel.Number},rootmode=40555,user_id=0,group_id=0,allow_other,default_permissions";
            fixed (byte* from = Text(source), to = Text(path), kind = Text($"fuse.{source}"), data = Text(options))
            {
                LinuxException.ThrowIfNegative(LibcExtra.Mount(from, to, kind, Flags, data), $"mount({path})");
            }

            return new FuseMount(channel, path) { _isMounted = true };
        }
        catch
        {
            channel.Dispose();
            throw;
        }
    }

    /// <summary>Whether a folder is a mount whose process has gone: all that is asked there fails.</summary>
    public static bool IsOrphan(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        fixed (byte* name = Text(path))
        {
            stat status;
            return LibC.stat(name, &status) < 0 && LibC.errno == NotConnected;
        }
    }

    /// <summary>Takes a mount away; who has a file of it open keeps that until he closes it.</summary>
    /// <exception cref="LinuxException">There is none.</exception>
    public static void Unmount(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        fixed (byte* name = Text(path))
        {
            LinuxException.ThrowIfNegative(LibcExtra.Unmount(name, Detach), $"umount2({path})");
        }
    }

    /// <summary>Waits for a request. For any number of threads; each gets other requests.</summary>
    /// <param name="packet">Room for the longest; the kernel refuses to fill one that is shorter.</param>
    /// <returns>Its length; 0 where no more come, because of <see cref="Stop"/> or as somebody has unmounted.</returns>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    public int Receive(Span<byte> packet)
    {
        pollfd* wait = stackalloc pollfd[2];
        while (true)
        {
            wait[0] = new pollfd { fd = _channel.Number, events = (short)LibC.POLLIN };
            wait[1] = new pollfd { fd = _stop.Descriptor.Number, events = (short)LibC.POLLIN };
            if (LibC.poll(wait, 2, -1) >= 0 && wait[1].revents != 0)
            {
                return 0;
            }

            fixed (byte* to = packet)
            {
                nint read = (nint)LibC.read(_channel.Number, to, packet.Length);
                if (read > 0)
                {
                    return (int)read;
                }

                int error = LibC.errno;
                if (read == 0 || error == NoSuchDevice)
                {
                    return 0;
                }

                if (error is not (NoEntry or Interrupted or WouldBlock))
                {
                    throw new LinuxException("read(/dev/fuse)", error);
                }
            }
        }
    }

    /// <summary>Answers a request. One that nobody waits for any more is no error.</summary>
    public void Send(ReadOnlySpan<byte> packet)
    {
        fixed (byte* from = packet)
        {
            _ = LibC.write(_channel.Number, from, packet.Length); // ENOENT: interrupted. Else the kernel asks no more, which Receive sees.
        }
    }

    /// <summary>Ends every <see cref="Receive"/>, those that come too.</summary>
    public void Stop() => _stop.Signal();

    /// <summary>Unmounts. Whoever still has a file open gets errors from it. No other call may be under way.</summary>
    public void Dispose()
    {
        if (_isMounted)
        {
            _isMounted = false;
            try
            {
                Unmount(Path);
            }
            catch (LinuxException)
            {
                // Somebody has done it.
            }

            _channel.Dispose(); // The kernel ends the connection, and with it each request that waits.
            _stop.Dispose();
        }
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text + "\0");
}
