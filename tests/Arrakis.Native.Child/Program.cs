using System.Net.NetworkInformation;
using Arrakis.Native.Memory;
using Arrakis.Native.Net;
using Arrakis.Native.Sockets;
using Arrakis.Native.Threads;
using Tmds.Linux;

namespace Arrakis.Native.Child;

/// <summary>What a test cannot do to its own process: die of a signal, or live in another network namespace.</summary>
internal static unsafe class Program
{
    private const int SysGetppid = 110;
    private const int SysExitGroup = 231;
    private const long NoCollectionBytes = 16 << 20;

    private static int Main(string[] arguments) => arguments[0] switch
    {
        "seccomp" => CallUnderFilter(SysGetppid, []),
        "seccomp-allowed" => CallUnderFilter(SysGetppid, [SysGetppid, SysExitGroup]),
        "seccomp-other-thread" => CallBesideFilter(),
        "sigbus-unguarded" => TouchTruncated(guardAnother: true),
        "connect" => Connect(arguments[1]),
        "tap" => UseTap(arguments[1]),
        _ => 64,
    };

    private static int CallUnderFilter(int call, int[] allowed)
    {
        int result = 1;
        var thread = new Thread(() =>
        {
            _ = LibC.getppid(); // Resolves the import before the filter forbids it.
            Say("entering\n"u8);
            SeccompFilter.KillOnSystemCall(allowed);
            result = call == SysGetppid && LibC.getppid() > 0 ? 0 : 1;
            LibC._exit(result);
        });
        thread.Start();
        thread.Join();
        return result;
    }

    // The runtime stops threads by a signal, which ends in system calls of the thread that is stopped: so nothing here
    // collects, and this program is compiled without tiers (see its project file).
    private static int CallBesideFilter()
    {
        if (!GC.TryStartNoGCRegion(NoCollectionBytes))
        {
            return 1;
        }

        bool filtered = false;
        var thread = new Thread(() =>
        {
            SeccompFilter.KillOnSystemCall();
            Volatile.Write(ref filtered, true);
            while (true)
            {
                // Alive to the end: a call of its own would have ended the process.
            }
        })
        { IsBackground = true };
        thread.Start();
        while (!Volatile.Read(ref filtered))
        {
            _ = Thread.Yield();
        }

        for (int i = 0; i < 1000; i++)
        {
            _ = LibC.getppid();
        }

        Say("others go on\n"u8);
        LibC._exit(0);
        return 1;
    }

    private static void Say(ReadOnlySpan<byte> text)
    {
        fixed (byte* bytes = text)
        {
            Require(LibC.write(1, bytes, text.Length) == text.Length, "what was said is read");
        }
    }

    private static int TouchTruncated(bool guardAnother)
    {
        using MemoryFile file = MemoryFile.Create("child", 8192, PagePreference.BaseOnly);
        using MemoryMapping? guarded = guardAnother ? MemoryMapping.Map(file.Descriptor, 0, 8192, MappingAccess.ReadWrite) : null;
        byte* unguarded = (byte*)LibC.mmap(null, 8192, LibC.PROT_READ, LibC.MAP_SHARED, file.Descriptor.Number, 0);
        file.Truncate(0);
        Console.WriteLine("touching");
        return Volatile.Read(ref unguarded[0]) == 0 ? 3 : 4;
    }

    private static int Connect(string path)
    {
        using UnixSocket socket = UnixSocket.Connect(path, UnixSocketKind.SequencedPacket);
        socket.TrySend("here"u8);
        _ = Console.In.ReadLine();
        return 0;
    }

    private static int UseTap(string name)
    {
        using (TapInterface tap = TapInterface.Create(name))
        {
            Require(tap.Name == name && Find(name)?.OperationalStatus == OperationalStatus.Up, "the interface is there and up");
            Require(Throws(() => TapInterface.Create(name)) == LibC.EBUSY, "the name is taken");

            // A virtio-net header that asks for nothing goes before each frame.
            const int HeaderLength = 12;
            Span<byte> frame = stackalloc byte[HeaderLength + 60];
            frame[..HeaderLength].Clear();
            frame[HeaderLength..].Fill(0xFF);
            fixed (byte* bytes = frame)
            {
                Require(LibC.write(tap.Descriptor.Number, bytes, frame.Length) == frame.Length, "a frame is taken whole");
                byte* received = stackalloc byte[2048];
                while (LibC.read(tap.Descriptor.Number, received, 2048) >= 0)
                {
                    // What the kernel itself says on a new interface.
                }

                Require(LibC.errno == LibC.EAGAIN, "an idle wire does not block");
            }
        }

        Require(Find(name) is null, "the interface is gone with its descriptor");
        Console.WriteLine("tap works");
        return 0;
    }

    private static NetworkInterface? Find(string name) => NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(found => found.Name == name);

    private static int Throws(Action action)
    {
        try
        {
            action();
            return 0;
        }
        catch (LinuxException e)
        {
            return e.Errno;
        }
    }

    private static void Require(bool condition, string what)
    {
        if (!condition)
        {
            Console.WriteLine($"not so: {what}");
            Environment.Exit(1);
        }
    }
}
