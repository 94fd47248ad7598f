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

    private static int Main(string[] arguments) => arguments[0] switch
    {
        "seccomp" => CallUnderFilter(SysGetppid, []),
        "seccomp-allowed" => CallUnderFilter(SysGetppid, [SysGetppid, 60, 231, 202, 3]),
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
            SeccompFilter.KillOnSystemCall(allowed);
            result = call == SysGetppid && LibC.getppid() > 0 ? 0 : 1;
            while (allowed.Length == 0)
            {
                // Only a thread that may end itself leaves.
            }

            LibC._exit(result);
        });
        thread.Start();
        thread.Join();
        return result;
    }

    private static int CallBesideFilter()
    {
        using var filtered = new ManualResetEventSlim();
        bool stop = false;
        var thread = new Thread(() =>
        {
            filtered.Set();
            SeccompFilter.KillOnSystemCall();
            while (!Volatile.Read(ref stop))
            {
            }
        })
        { IsBackground = true };
        thread.Start();
        filtered.Wait();
        for (int i = 0; i < 1000; i++)
        {
            _ = LibC.getppid();
        }

        Console.WriteLine("others go on");
        Console.Out.Flush();
        LibC._exit(0);
        return 1;
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
            Span<byte> frame = stackalloc byte[60];
            frame.Fill(0xFF);
            fixed (byte* bytes = frame)
            {
                Require(LibC.write(tap.Descriptor.Number, bytes, 60) == 60, "a frame is taken whole");
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
