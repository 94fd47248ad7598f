using System.Runtime.InteropServices;

namespace Arrakis.Native;

/// <summary>C library functions and numbers that Tmds.LibC lacks, and the shim's.</summary>
internal static unsafe partial class LibcExtra
{
    internal const int SoPeerPidFd = 77;
    internal const int PrSetNoNewPrivileges = 38;
    internal const long SysSeccomp = 317;
    internal const long SysBpf = 321;
    internal const long SysPidfdOpen = 434;
    internal const long SysPidfdSendSignal = 424;
    internal const int RwfNoWait = 8;
    internal const long SysGettid = 186;
    internal const long SysPerfEventOpen = 298;
    internal const long SysIoSetup = 206;
    internal const long SysIoDestroy = 207;
    internal const long SysIoGetEvents = 208;
    internal const long SysIoSubmit = 209;

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    internal static partial int Prctl(int option, nuint arg2, nuint arg3, nuint arg4, nuint arg5);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint Syscall(nint number, nint a, nint b, nint c, nint d, nint e);

    [LibraryImport("libc", EntryPoint = "preadv2", SetLastError = true)]
    internal static partial nint ReadVectorNoWait(int descriptor, Tmds.Linux.iovec* vectors, int count, long offset, int flags);

    [LibraryImport("libc", EntryPoint = "writev", SetLastError = true)]
    internal static partial nint WriteVector(int descriptor, Tmds.Linux.iovec* vectors, int count);

    [LibraryImport("libc", EntryPoint = "fstatfs64", SetLastError = true)]
    internal static partial int FileSystemStatus(int descriptor, void* status);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true)]
    internal static partial int Mount(byte* source, byte* target, byte* kind, nuint flags, byte* data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true)]
    internal static partial int Unmount(byte* target, int flags);

    [LibraryImport("libc", EntryPoint = "pread64", SetLastError = true)]
    internal static partial nint ReadAt(int descriptor, byte* buffer, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite64", SetLastError = true)]
    internal static partial nint WriteAt(int descriptor, byte* buffer, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "fallocate64", SetLastError = true)]
    internal static partial int AllocateRange(int descriptor, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "getifaddrs", SetLastError = true)]
    internal static partial int GetInterfaceAddresses(Net.InterfaceAddresses.Entry** first);

    [LibraryImport("libc", EntryPoint = "freeifaddrs")]
    internal static partial void FreeInterfaceAddresses(Net.InterfaceAddresses.Entry* first);

    [LibraryImport("libarrakis_native", EntryPoint = "arrakis_sigbus_install")]
    internal static partial int SigbusInstall();

    [LibraryImport("libarrakis_native", EntryPoint = "arrakis_sigbus_guard")]
    internal static partial int SigbusGuard(void* start, nuint length);

    [LibraryImport("libarrakis_native", EntryPoint = "arrakis_sigbus_flag")]
    internal static partial int* SigbusFlag(int slot);

    [LibraryImport("libarrakis_native", EntryPoint = "arrakis_sigbus_release")]
    internal static partial void SigbusRelease(int slot);

    [LibraryImport("libarrakis_native", EntryPoint = "arrakis_allocate_pages")]
    internal static partial int AllocatePages(int descriptor, long length);

    [LibraryImport("libarrakis_native", EntryPoint = "arrakis_timestamp_counter")]
    [SuppressGCTransition] // Constant time, does not block or call back.
    internal static partial ulong TimestampCounter();

    [LibraryImport("libarrakis_native", EntryPoint = "arrakis_prefetch_for_write")]
    [SuppressGCTransition] // As short as its list, does not block or call back.
    internal static partial void PrefetchForWrite(void** lines, int count);
}
