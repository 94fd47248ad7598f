using System.Text;
using Tmds.Linux;

namespace Arrakis.Native.Memory;

/// <summary>Which pages a memory file may have.</summary>
public enum PagePreference
{
    /// <summary>Hugepages where the kernel has enough of them, else base pages.</summary>
    PreferHuge,

    /// <summary>Base pages only.</summary>
    BaseOnly,
}

/// <summary>Seals of a memory file (fcntl(2), "File Sealing").</summary>
[Flags]
public enum MemorySeals
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>F_SEAL_SEAL: no more seals.</summary>
    Seal = 1,

    /// <summary>F_SEAL_SHRINK: no truncation.</summary>
    Shrink = 2,

    /// <summary>F_SEAL_GROW: no growth.</summary>
    Grow = 4,

    /// <summary>F_SEAL_WRITE: no writing.</summary>
    Write = 8,
}

/// <summary>
/// An anonymous memory file (memfd_create(2)) that is handed to other processes. Its pages are allocated at once, so
/// that no later touch can fail for want of memory.
/// </summary>
public sealed class MemoryFile : IDisposable
{
    /// <summary>Bytes of a hugepage.</summary>
    public const int HugePageSize = 2 * 1024 * 1024;

    /// <summary>Bytes of a base page.</summary>
    public const int BasePageSize = 4096;

    private const uint HugePageSizeFlag = 21u << 26; // MFD_HUGE_2MB
    private const int PunchHoleKeepSize = 0x3; // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
    private const int OpenReadOnly = 0x80000; // O_RDONLY | O_CLOEXEC
    private const int FileSystemStatusLength = 120; // struct statfs64; the type is its first word
    private const uint TmpfsMagic = 0x0102_1994;
    private const uint HugetlbfsMagic = 0x9584_58F6;

    /// <summary>Wraps a memory file that came from elsewhere.</summary>
    public MemoryFile(Descriptor descriptor, long length, int pageSize)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        Descriptor = descriptor;
        Length = length;
        PageSize = pageSize;
    }

    /// <summary>The open file.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>Bytes when it was made.</summary>
    public long Length { get; }

    /// <summary>Bytes of a page.</summary>
    public int PageSize { get; }

    /// <summary>Makes a memory file, its pages allocated and zero.</summary>
    /// <param name="name">Shown in /proc; no meaning otherwise.</param>
    /// <param name="length">Bytes; rounded up to whole pages.</param>
    /// <param name="preference">Which pages.</param>
    /// <exception cref="LinuxException">No memory (ENOMEM, ENOSPC), or no descriptor left (EMFILE).</exception>
    public static MemoryFile Create(string name, long length, PagePreference preference)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        if (preference == PagePreference.PreferHuge && TryCreateHuge(name, length) is { } huge)
        {
            return huge;
        }

        // The kernel would allocate base pages until it has to kill processes for want of memory.
        long rounded = RoundUp(length, BasePageSize);
        return rounded <= BasePages.AvailableBytes
            ? CreateWith(name, rounded, BasePageSize, 0)
            : throw new LinuxException($"fallocate({rounded} bytes of queue memory)", LibC.ENOMEM);
    }

    /// <summary>Adds seals.</summary>
    public void AddSeals(MemorySeals seals) =>
        LinuxException.ThrowIfNegative(LibC.fcntl(Descriptor.Number, LibC.F_ADD_SEALS, (int)seals), $"fcntl(F_ADD_SEALS, {seals})");

    /// <summary>Sets the permission bits, so that no other user reopens the file for writing through /proc.</summary>
    public void SetMode(int mode) => LinuxException.ThrowIfNegative(LibC.fchmod(Descriptor.Number, (mode_t)mode), "fchmod(memfd)");

    /// <summary>The real length in bytes of a file that came from elsewhere (fstat(2)).</summary>
    public static unsafe long GetLength(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        stat status;
        LinuxException.ThrowIfNegative(LibC.fstat(descriptor.Number, &status), "fstat(memfd)");
        return (long)status.st_size;
    }

    /// <summary>
    /// Whether a file that came from elsewhere has its pages in memory (memfd, tmpfs or hugetlbfs): a page fault in it
    /// waits for no file system's process and no network.
    /// </summary>
    public static unsafe bool IsInMemory(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        byte* status = stackalloc byte[FileSystemStatusLength];
        LinuxException.ThrowIfNegative(LibcExtra.FileSystemStatus(descriptor.Number, status), "fstatfs");
        return *(uint*)status is TmpfsMagic or HugetlbfsMagic;
    }

    /// <summary>Opens the same file anew, read-only: a mapping of it cannot be made writable.</summary>
    public unsafe Descriptor OpenReadOnlyCopy()
    {
        fixed (byte* path = Encoding.ASCII.GetBytes($"/proc/self/fd/{Descriptor.Number}\0"))
        {
            int number = LibC.open(path, OpenReadOnly);
            LinuxException.ThrowIfNegative(number, "open(/proc/self/fd, O_RDONLY)");
            return new Descriptor(number);
        }
    }

    /// <summary>Gives pages back at once; who touches them afterwards gets SIGBUS.</summary>
    public void Truncate(long length) => LinuxException.ThrowIfNegative(LibC.ftruncate(Descriptor.Number, length), "ftruncate(memfd)");

    /// <summary>Gives the pages of a range back; it reads as zero afterwards.</summary>
    public void PunchHole(long offset, long length) =>
        LinuxException.ThrowIfNegative(LibC.fallocate(Descriptor.Number, PunchHoleKeepSize, offset, length), "fallocate(PUNCH_HOLE)");

    /// <summary>Reads without mapping, so that a truncated file is a short read and no signal. Returns the bytes read.</summary>
    public unsafe int Read(Span<byte> destination, long offset)
    {
        fixed (byte* buffer = destination)
        {
            long read = LibC.pread(Descriptor.Number, buffer, destination.Length, offset);
            LinuxException.ThrowIfNegative(read, "pread(memfd)");
            return (int)read;
        }
    }

    /// <summary>Writes without mapping; only files of base pages allow it. Returns the bytes written.</summary>
    public unsafe int Write(ReadOnlySpan<byte> source, long offset)
    {
        fixed (byte* buffer = source)
        {
            long written = LibC.pwrite(Descriptor.Number, buffer, source.Length, offset);
            LinuxException.ThrowIfNegative(written, "pwrite(memfd)");
            return (int)written;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();

    private static MemoryFile? TryCreateHuge(string name, long length)
    {
        // The kernel would take all free pages, one by one, before it finds that there are too few: meanwhile nobody else has any.
        long rounded = RoundUp(length, HugePageSize);
        if (!HugePages.MayHave(rounded / HugePageSize))
        {
            return null;
        }

        try
        {
            return CreateWith(name, rounded, HugePageSize, (uint)LibC.MFD_HUGETLB | HugePageSizeFlag);
        }
        catch (LinuxException e) when (e.Errno == LibC.ENOMEM || e.Errno == LibC.ENOSPC || e.Errno == LibC.EINVAL || e.Errno == LibC.ENOENT || e.Errno == LibC.ENOSYS || e.Errno == LibC.ENODEV)
        {
            return null;
        }
    }

    private static unsafe MemoryFile CreateWith(string name, long length, int pageSize, uint flags)
    {
        int number;
        fixed (byte* nameBytes = Encoding.UTF8.GetBytes(name + "\0"))
        {
            number = LibC.memfd_create(nameBytes, (uint)(LibC.MFD_CLOEXEC | LibC.MFD_ALLOW_SEALING) | flags);
        }

        LinuxException.ThrowIfNegative(number, "memfd_create");
        var file = new MemoryFile(new Descriptor(number), length, pageSize);
        try
        {
            LinuxException.ThrowIfNegative(LibC.ftruncate(number, length), "ftruncate(memfd)");
            int error = LibcExtra.AllocatePages(number, length);
            if (error != 0)
            {
                throw new LinuxException($"fallocate({length} bytes of queue memory)", error);
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static long RoundUp(long length, int pageSize) => checked(length + pageSize - 1) / pageSize * pageSize;
}
