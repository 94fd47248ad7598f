using System.Text;
using Tmds.Linux;

namespace Arrakis.Native.Sockets;

/// <summary>A non-blocking Unix socket that carries descriptors (unix(7), SCM_RIGHTS).</summary>
public sealed unsafe class UnixSocket : IDisposable
{
    /// <summary>The most descriptors in one message here; the kernel's own limit is 253.</summary>
    public const int MaxDescriptors = 32;

    private const int PathOffset = 2; // sockaddr_un: family u16, path
    private const int PathCapacity = 108;
    private const uint FileTypeMask = 0xF000; // S_IFMT
    private const uint SocketFileType = 0xC000; // S_IFSOCK
    private const int SendFlags = 0x4040; // MSG_NOSIGNAL | MSG_DONTWAIT
    private const int ReceiveFlags = 0x4000_0040; // MSG_CMSG_CLOEXEC | MSG_DONTWAIT
    private const int MessageTruncated = 0x20; // MSG_TRUNC
    private const int ControlTruncated = 0x8; // MSG_CTRUNC

    /// <summary>Wraps a socket that came from elsewhere; it is made non-blocking.</summary>
    public UnixSocket(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        Descriptor = descriptor;
        int flags = LibC.fcntl(descriptor.Number, LibC.F_GETFL);
        LinuxException.ThrowIfNegative(flags, "fcntl(F_GETFL)");
        LinuxException.ThrowIfNegative(LibC.fcntl(descriptor.Number, LibC.F_SETFL, flags | LibC.O_NONBLOCK), "fcntl(F_SETFL)");
    }

    /// <summary>The open socket.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>Who is at the other end.</summary>
    public PeerCredentials PeerCredentials
    {
        get
        {
            int* credentials = stackalloc int[3];
            socklen_t length = 12;
            LinuxException.ThrowIfNegative(LibC.getsockopt(Descriptor.Number, LibC.SOL_SOCKET, LibC.SO_PEERCRED, credentials, &length), "getsockopt(SO_PEERCRED)");
            return new PeerCredentials(credentials[0], (uint)credentials[1], (uint)credentials[2]);
        }
    }

    /// <summary>Makes two connected sockets.</summary>
    public static (UnixSocket First, UnixSocket Second) Pair(UnixSocketKind kind)
    {
        int* pair = stackalloc int[2];
        LinuxException.ThrowIfNegative(LibC.socketpair(LibC.AF_UNIX, (int)kind | LibC.SOCK_CLOEXEC, 0, pair), "socketpair");
        return (new UnixSocket(new Descriptor(pair[0])), new UnixSocket(new Descriptor(pair[1])));
    }

    /// <summary>Listens at a path; a dead socket file there is replaced, a live one is not.</summary>
    /// <param name="path">File path, or @name for the abstract namespace.</param>
    /// <param name="kind">Kind of socket.</param>
    /// <param name="backlog">Connections that may wait for <see cref="TryAccept"/>.</param>
    /// <param name="mode">Permission bits of the socket file.</param>
    /// <exception cref="LinuxException">Somebody listens there already, or the path is no socket (EADDRINUSE), or the folder does not allow it.</exception>
    public static UnixSocket Listen(string path, UnixSocketKind kind, int backlog, UnixFileMode mode)
    {
        UnixSocket socket = Create(kind);
        try
        {
            byte* address = stackalloc byte[PathOffset + PathCapacity];
            int length = WriteAddress(address, path);
            if (IsSocketFile(path) && !IsAlive(path, kind))
            {
                File.Delete(path);
            }

            LinuxException.ThrowIfNegative(LibC.bind(socket.Descriptor.Number, (sockaddr*)address, length), $"bind({path})");
            if (path[0] != '@')
            {
                File.SetUnixFileMode(path, mode);
            }

            LinuxException.ThrowIfNegative(LibC.listen(socket.Descriptor.Number, backlog), $"listen({path})");
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects to a path.</summary>
    /// <exception cref="LinuxException">Nobody listens (ENOENT, ECONNREFUSED), not permitted (EACCES), or the backlog is full (EAGAIN).</exception>
    public static UnixSocket Connect(string path, UnixSocketKind kind)
    {
        UnixSocket socket = Create(kind);
        try
        {
            byte* address = stackalloc byte[PathOffset + PathCapacity];
            int length = WriteAddress(address, path);
            LinuxException.ThrowIfNegative(LibC.connect(socket.Descriptor.Number, (sockaddr*)address, length), $"connect({path})");
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Takes a waiting connection, or null where none waits.</summary>
    /// <exception cref="LinuxException">No descriptor left (EMFILE, ENFILE).</exception>
    public UnixSocket? TryAccept()
    {
        int number = LibC.accept4(Descriptor.Number, null, null, LibC.SOCK_CLOEXEC | LibC.SOCK_NONBLOCK);
        if (number < 0 && LibC.errno is var error && (error == LibC.EAGAIN || error == LibC.ECONNABORTED || error == LibC.EINTR))
        {
            return null;
        }

        LinuxException.ThrowIfNegative(number, "accept4");
        return new UnixSocket(new Descriptor(number));
    }

    /// <summary>Opens the process at the other end, so that its number cannot be reused unnoticed.</summary>
    /// <exception cref="LinuxException">The process has ended already (ESRCH, EINVAL or ENODATA).</exception>
    public Processes.ProcessDescriptor OpenPeerProcess()
    {
        int number;
        socklen_t length = sizeof(int);

        // SO_PEERPIDFD came with Linux 6.5; before it, the number is looked up, which is safe while the peer is alive.
        // Any other refusal means that the peer has gone, and its number may be another's by now.
        if (LibC.getsockopt(Descriptor.Number, LibC.SOL_SOCKET, LibcExtra.SoPeerPidFd, &number, &length) == 0)
        {
            return new Processes.ProcessDescriptor(new Descriptor(number));
        }

        return LibC.errno == LibC.ENOPROTOOPT
            ? Processes.ProcessDescriptor.Open(PeerCredentials.ProcessId)
            : throw new LinuxException("getsockopt(SO_PEERPIDFD)");
    }

    /// <summary>Sends bytes and descriptors. Returns the bytes taken, or -1 where the socket's buffer is full.</summary>
    /// <remarks>A sequenced packet is taken whole or not at all. A stream may take less; the descriptors go with the first byte.</remarks>
    /// <exception cref="LinuxException">The connection is gone (EPIPE, ECONNRESET), or the packet is too large (EMSGSIZE).</exception>
    public int TrySend(ReadOnlySpan<byte> data, params ReadOnlySpan<Descriptor> descriptors)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, MaxDescriptors);

        // Disposed meanwhile by another thread, a number could become another file's, and that file would be sent.
        int held = 0;
        try
        {
            while (held < descriptors.Length)
            {
                bool added = false;
                descriptors[held].DangerousAddRef(ref added);
                held++;
            }

            return TrySendHeld(data, descriptors);
        }
        finally
        {
            while (held > 0)
            {
                descriptors[--held].DangerousRelease();
            }
        }
    }

    private int TrySendHeld(ReadOnlySpan<byte> data, ReadOnlySpan<Descriptor> descriptors)
    {
        int controlLength = ControlLength(descriptors.Length);
        byte* control = stackalloc byte[ControlLength(MaxDescriptors)];
        new Span<byte>(control, ControlLength(MaxDescriptors)).Clear();
        fixed (byte* bytes = data)
        {
            iovec vector = new() { iov_base = bytes, iov_len = (size_t)(ulong)data.Length };
            msghdr message = new() { msg_iov = &vector, msg_iovlen = 1 };
            if (!descriptors.IsEmpty)
            {
                message.msg_control = control;
                message.msg_controllen = (socklen_t)(uint)controlLength;
                cmsghdr* header = (cmsghdr*)control;
                header->cmsg_len = (socklen_t)(uint)(sizeof(cmsghdr) + descriptors.Length * sizeof(int));
                header->cmsg_level = LibC.SOL_SOCKET;
                header->cmsg_type = LibC.SCM_RIGHTS;
                int* numbers = (int*)(control + sizeof(cmsghdr));
                for (int i = 0; i < descriptors.Length; i++)
                {
                    numbers[i] = (int)descriptors[i].DangerousGetHandle();
                }
            }

            long sent = LibC.sendmsg(Descriptor.Number, &message, SendFlags);
            if (sent < 0 && (LibC.errno == LibC.EAGAIN || LibC.errno == LibC.EINTR))
            {
                return -1;
            }

            LinuxException.ThrowIfNegative(sent, "sendmsg");
            return (int)sent;
        }
    }

    /// <summary>Receives bytes and descriptors, or null where nothing has come.</summary>
    /// <exception cref="LinuxException">The connection is broken (ECONNRESET).</exception>
    public ReceivedMessage? TryReceive(Span<byte> buffer)
    {
        byte* control = stackalloc byte[ControlLength(MaxDescriptors)];
        fixed (byte* bytes = buffer)
        {
            iovec vector = new() { iov_base = bytes, iov_len = (size_t)(ulong)buffer.Length };
            msghdr message = new()
            {
                msg_iov = &vector,
                msg_iovlen = 1,
                msg_control = control,
                msg_controllen = (socklen_t)(uint)ControlLength(MaxDescriptors),
            };
            long received = LibC.recvmsg(Descriptor.Number, &message, ReceiveFlags);
            if (received < 0 && (LibC.errno == LibC.EAGAIN || LibC.errno == LibC.EINTR))
            {
                return null;
            }

            LinuxException.ThrowIfNegative(received, "recvmsg");
            return new ReceivedMessage(
                (int)received,
                (message.msg_flags & MessageTruncated) != 0,
                (message.msg_flags & ControlTruncated) != 0,
                TakeDescriptors(&message));
        }
    }

    /// <summary>Ends both directions; the peer reads the end of the connection.</summary>
    public void Shutdown() => _ = LibC.shutdown(Descriptor.Number, LibC.SHUT_RDWR);

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();

    private static UnixSocket Create(UnixSocketKind kind)
    {
        int number = LibC.socket(LibC.AF_UNIX, (int)kind | LibC.SOCK_CLOEXEC, 0);
        LinuxException.ThrowIfNegative(number, "socket(AF_UNIX)");
        return new UnixSocket(new Descriptor(number));
    }

    // connect(2) refuses a plain file as it refuses a dead socket, so that the two have to be told apart first.
    private static bool IsSocketFile(string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
        {
            stat status;
            return LibC.lstat(name, &status) == 0 && ((uint)status.st_mode & FileTypeMask) == SocketFileType;
        }
    }

    private static bool IsAlive(string path, UnixSocketKind kind)
    {
        try
        {
            using UnixSocket probe = Connect(path, kind);
            return true;
        }
        catch (LinuxException e)
        {
            return e.Errno != LibC.ECONNREFUSED;
        }
    }

    private static List<Descriptor> TakeDescriptors(msghdr* message)
    {
        List<Descriptor> descriptors = [];
        for (cmsghdr* header = LibC.CMSG_FIRSTHDR(message); header is not null; header = LibC.CMSG_NXTHDR(message, header))
        {
            if (header->cmsg_level != LibC.SOL_SOCKET || header->cmsg_type != LibC.SCM_RIGHTS)
            {
                continue;
            }

            int count = ((int)(uint)header->cmsg_len - sizeof(cmsghdr)) / sizeof(int);
            int* numbers = (int*)((byte*)header + sizeof(cmsghdr));
            for (int i = 0; i < count; i++)
            {
                descriptors.Add(new Descriptor(numbers[i]));
            }
        }

        return descriptors;
    }

    private static int ControlLength(int descriptors) => sizeof(cmsghdr) + (descriptors * sizeof(int) + 7 & ~7);

    private static int WriteAddress(byte* address, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        int bytes = Encoding.UTF8.GetByteCount(path);
        if (bytes >= PathCapacity)
        {
            throw new ArgumentException($"'{path}' is longer than the {PathCapacity - 1} bytes of a Unix socket's path.", nameof(path));
        }

        *(ushort*)address = (ushort)LibC.AF_UNIX;
        Span<byte> target = new(address + PathOffset, PathCapacity);
        target.Clear();
        Encoding.UTF8.GetBytes(path, target);
        if (path[0] == '@')
        {
            target[0] = 0;
            return PathOffset + bytes;
        }

        return PathOffset + bytes + 1;
    }
}
