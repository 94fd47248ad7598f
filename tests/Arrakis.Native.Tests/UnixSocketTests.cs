using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Processes;
using Arrakis.Native.Sockets;
using Tmds.Linux;

namespace Arrakis.Native.Tests;

public sealed unsafe class UnixSocketTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("arrakis-native-tests-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void Descriptors_travel_with_a_message_up_to_the_limit() =>
        OpenDescriptors.AssertNoneLeft(() => WithPair((first, second) =>
        {
            using MemoryFile file = MemoryFile.Create("test", 4096, PagePreference.BaseOnly);
            Assert.Null(second.TryReceive(new byte[10]));
            Descriptor[] descriptors = [.. Enumerable.Repeat(file.Descriptor, UnixSocket.MaxDescriptors)];
            Assert.Equal(3, first.TrySend("abc"u8, descriptors));
            ReceivedMessage message = second.TryReceive(new byte[10])!.Value;
            Assert.Equal((3, false, false, UnixSocket.MaxDescriptors), (message.Length, message.Truncated, message.DescriptorsTruncated, message.Descriptors.Count));
            Assert.Equal(LibC.FD_CLOEXEC, LibC.fcntl(message.Descriptors[0].Number, LibC.F_GETFD));
            message.CloseDescriptors();
            Assert.Throws<ArgumentOutOfRangeException>(() => first.TrySend("abc"u8, [.. descriptors, file.Descriptor]));
        }));

    [Fact]
    public void More_descriptors_than_the_limit_are_reported_and_not_leaked() =>
        OpenDescriptors.AssertNoneLeft(() => WithPair((first, second) =>
        {
            using var file = new EventFd();
            SendRaw(first, file.Descriptor, 60);
            ReceivedMessage message = second.TryReceive(new byte[10])!.Value;
            Assert.True(message.DescriptorsTruncated);
            Assert.InRange(message.Descriptors.Count, 1, UnixSocket.MaxDescriptors);
            message.CloseDescriptors();
        }));

    [Fact]
    public void Descriptors_that_nobody_receives_are_not_leaked() =>
        OpenDescriptors.AssertNoneLeft(() => WithPair((first, second) =>
        {
            using var file = new EventFd();
            Assert.Equal(1, first.TrySend("a"u8, file.Descriptor, file.Descriptor));
        }));

    [Fact]
    public void A_longer_message_than_the_buffer_is_reported() => WithPair((first, second) =>
    {
        Assert.Equal(5, first.TrySend("hello"u8));
        Assert.Equal(5, first.TrySend("world"u8));
        ReceivedMessage message = second.TryReceive(new byte[3])!.Value;
        Assert.Equal((3, true), (message.Length, message.Truncated));
        Assert.Equal(5, second.TryReceive(new byte[10])!.Value.Length);
    });

    [Fact]
    public void The_end_of_a_connection_is_a_message_of_no_bytes_and_sending_fails() => WithPair((first, second) =>
    {
        Assert.Equal(1, first.TrySend("x"u8));
        first.Shutdown();
        Assert.Equal(1, second.TryReceive(new byte[3])!.Value.Length);
        Assert.Equal(0, second.TryReceive(new byte[3])!.Value.Length);
        first.Dispose();
        Assert.Equal(LibC.EPIPE, Assert.Throws<LinuxException>(() => second.TrySend("x"u8)).Errno);
    });

    [Fact]
    public void A_full_buffer_and_an_oversized_message_are_told_apart() => WithPair((first, second) =>
    {
        byte[] message = new byte[1000];
        int sent = 0;
        while (first.TrySend(message) > 0)
        {
            Assert.True(++sent < 1_000_000);
        }

        Assert.True(sent > 0);
        Assert.Equal(LibC.EMSGSIZE, Assert.Throws<LinuxException>(() => first.TrySend(new byte[64 << 20])).Errno);
    });

    [Fact]
    public void A_dead_socket_file_is_replaced_and_a_live_one_is_not()
    {
        string path = Path.Combine(_directory.FullName, "s");
        UnixSocket.Listen(path, UnixSocketKind.SequencedPacket, 1, UnixFileMode.UserRead | UnixFileMode.UserWrite).Dispose();
        Assert.True(File.Exists(path));
        Assert.Equal(LibC.ECONNREFUSED, Assert.Throws<LinuxException>(() => UnixSocket.Connect(path, UnixSocketKind.SequencedPacket)).Errno);
        using UnixSocket listener = UnixSocket.Listen(path, UnixSocketKind.SequencedPacket, 1, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Equal(LibC.EADDRINUSE, Assert.Throws<LinuxException>(() => UnixSocket.Listen(path, UnixSocketKind.SequencedPacket, 1, UnixFileMode.UserRead)).Errno);
        using UnixSocket client = UnixSocket.Connect(path, UnixSocketKind.SequencedPacket);
        using UnixSocket probe = listener.TryAccept()!; // The probe of the second listener came first.
        using UnixSocket? server = listener.TryAccept();
        Assert.Null(listener.TryAccept());
    }

    [Fact]
    public void A_plain_file_at_the_path_is_left_alone()
    {
        string path = Path.Combine(_directory.FullName, "precious");
        File.WriteAllText(path, "data");
        Assert.Equal(LibC.EADDRINUSE, Assert.Throws<LinuxException>(() => UnixSocket.Listen(path, UnixSocketKind.Stream, 1, UnixFileMode.UserRead)).Errno);
        Assert.Equal("data", File.ReadAllText(path));
    }

    [Fact]
    public void Wrong_paths_fail_by_name_and_leak_nothing() => OpenDescriptors.AssertNoneLeft(() =>
    {
        Assert.Equal(LibC.ENOENT, Assert.Throws<LinuxException>(() => UnixSocket.Connect(Path.Combine(_directory.FullName, "none"), UnixSocketKind.Stream)).Errno);
        Assert.Throws<ArgumentException>(() => UnixSocket.Connect(new string('x', 108), UnixSocketKind.Stream));
        Assert.Throws<ArgumentException>(() => UnixSocket.Connect("", UnixSocketKind.Stream));
        Assert.Throws<LinuxException>(() => UnixSocket.Listen("/proc/none/here", UnixSocketKind.Stream, 1, UnixFileMode.UserRead));
    });

    [Fact]
    public void An_abstract_name_needs_no_file()
    {
        string name = $"@arrakis-native-tests-{Environment.ProcessId}";
        using UnixSocket listener = UnixSocket.Listen(name, UnixSocketKind.Stream, 1, UnixFileMode.None);
        using UnixSocket client = UnixSocket.Connect(name, UnixSocketKind.Stream);
        using UnixSocket? server = listener.TryAccept();
        Assert.NotNull(server);
    }

    [Fact]
    public void The_peer_is_known_by_its_process_and_stays_known_after_its_death()
    {
        string path = Path.Combine(_directory.FullName, "s");
        using UnixSocket listener = UnixSocket.Listen(path, UnixSocketKind.SequencedPacket, 5, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        System.Diagnostics.Process child = ChildProcess.Start("connect", path);
        UnixSocket? server = null;
        Assert.True(SpinWait.SpinUntil(() => (server = listener.TryAccept()) is not null, 60_000), "The child did not connect.");
        using (server)
        {
            Assert.Equal(new PeerCredentials(child.Id, LibC.getuid(), LibC.getgid()), server!.PeerCredentials);
            using ProcessDescriptor peer = server.OpenPeerProcess();
            Assert.False(peer.HasExited);
            Assert.True(peer.Signal(9));
            Assert.Equal(128 + 9, ChildProcess.Finish(child).ExitCode);
            Assert.True(peer.HasExited);
            Assert.False(peer.Signal(9));
            AssertNotAnother(server);
        }
    }

    [Fact]
    public void A_process_that_is_not_there_cannot_be_opened() =>
        Assert.Equal(LibC.ESRCH, Assert.Throws<LinuxException>(() => ProcessDescriptor.Open(0x3FFFFFFF)).Errno);

    private static void AssertNotAnother(UnixSocket server)
    {
        try
        {
            using ProcessDescriptor late = server.OpenPeerProcess();
            Assert.True(late.HasExited);
        }
        catch (LinuxException e)
        {
            Assert.Contains(e.Errno, new[] { LibC.ESRCH, LibC.EINVAL, LibC.ENODATA });
        }
    }

    private static void WithPair(Action<UnixSocket, UnixSocket> action)
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.Pair(UnixSocketKind.SequencedPacket);
        using (first)
        using (second)
        {
            action(first, second);
        }
    }

    // As a hostile peer would, past the limit of TrySend.
    private static void SendRaw(UnixSocket socket, Descriptor descriptor, int count)
    {
        byte* control = stackalloc byte[16 + count * 4 + 8];
        byte data = 1;
        iovec vector = new() { iov_base = &data, iov_len = 1 };
        cmsghdr* header = (cmsghdr*)control;
        header->cmsg_len = (socklen_t)(uint)(sizeof(cmsghdr) + count * 4);
        header->cmsg_level = LibC.SOL_SOCKET;
        header->cmsg_type = LibC.SCM_RIGHTS;
        for (int i = 0; i < count; i++)
        {
            ((int*)(control + sizeof(cmsghdr)))[i] = descriptor.Number;
        }

        msghdr message = new() { msg_iov = &vector, msg_iovlen = 1, msg_control = control, msg_controllen = (socklen_t)(uint)(sizeof(cmsghdr) + (count * 4 + 7 & ~7)) };
        Assert.Equal(1, (int)LibC.sendmsg(socket.Descriptor.Number, &message, 0));
    }
}
