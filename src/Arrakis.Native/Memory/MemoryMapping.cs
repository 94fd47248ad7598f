using System.Runtime.CompilerServices;
using Tmds.Linux;

namespace Arrakis.Native.Memory;

/// <summary>What a mapping may do.</summary>
public enum MappingAccess
{
    /// <summary>Read.</summary>
    Read,

    /// <summary>Read and write.</summary>
    ReadWrite,
}

/// <summary>
/// A shared mapping that survives the truncation of its file: past it, reads give zeros and <see cref="IsFaulted"/> is
/// true. A guarded read-only mapping becomes writable, private zeros once faulted.
/// </summary>
public sealed unsafe class MemoryMapping : IDisposable
{
    private const int PopulateForWrite = 23; // MADV_POPULATE_WRITE

    private readonly int _slot;
    private readonly int* _faulted;
    private void* _start;

    private MemoryMapping(void* start, long length, int slot)
    {
        _start = start;
        Length = length;
        _slot = slot;
        _faulted = LibcExtra.SigbusFlag(slot);
    }

    /// <summary>The first byte.</summary>
    public byte* Start => (byte*)_start;

    /// <summary>Bytes mapped.</summary>
    public long Length { get; }

    /// <summary>Whether the file was truncated under the mapping and someone touched it. No system call.</summary>
    public bool IsFaulted
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref *_faulted) != 0;
    }

    /// <summary>Maps a file and guards the mapping.</summary>
    /// <param name="descriptor">The file.</param>
    /// <param name="offset">First byte; a multiple of the page size.</param>
    /// <param name="length">Bytes; a multiple of the page size of the file's pages.</param>
    /// <param name="access">What the mapping may do.</param>
    /// <exception cref="LinuxException">The kernel refuses the mapping, or all guard slots are taken (ENOSPC).</exception>
    public static MemoryMapping Map(Descriptor descriptor, long offset, long length, MappingAccess access)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        int error = LibcExtra.SigbusInstall();
        if (error != 0)
        {
            throw new LinuxException("sigaction(SIGBUS)", error);
        }

        int protection = access == MappingAccess.Read ? LibC.PROT_READ : LibC.PROT_READ | LibC.PROT_WRITE;
        void* start = LibC.mmap(null, (size_t)(ulong)length, protection, LibC.MAP_SHARED, descriptor.Number, offset);
        if ((nint)start == -1)
        {
            throw new LinuxException($"mmap({length} bytes)");
        }

        int slot = LibcExtra.SigbusGuard(start, (nuint)length);
        if (slot < 0)
        {
            _ = LibC.munmap(start, (size_t)(ulong)length);
            throw new LinuxException("guarding a mapping: too many are guarded", LibC.ENOSPC);
        }

        return new MemoryMapping(start, length, slot);
    }

    /// <summary>Brings all pages into the page tables, so that no later touch waits for that. A kernel before 5.14 cannot, and does it at the touch.</summary>
    public void Populate() => _ = LibC.madvise(_start, (size_t)(ulong)Length, PopulateForWrite);

    /// <summary>Writes a u32 at an aligned offset; what was stored before is seen before it.</summary>
    public void Store(long offset, uint value) => Volatile.Write(ref *(uint*)At(offset, sizeof(uint)), value);

    /// <summary>Writes a u64 at an aligned offset; what was stored before is seen before it.</summary>
    public void Store(long offset, ulong value) => Volatile.Write(ref *(ulong*)At(offset, sizeof(ulong)), value);

    /// <summary>Reads a u32 at an aligned offset, once.</summary>
    public uint LoadUInt32(long offset) => Volatile.Read(ref *(uint*)At(offset, sizeof(uint)));

    /// <summary>Reads a u64 at an aligned offset, once.</summary>
    public ulong LoadUInt64(long offset) => Volatile.Read(ref *(ulong*)At(offset, sizeof(ulong)));

    /// <summary>Unmaps. Nothing may touch the memory any more.</summary>
    public void Dispose()
    {
        if (_start is not null)
        {
            LibcExtra.SigbusRelease(_slot);
            _ = LibC.munmap(_start, (size_t)(ulong)Length);
            _start = null;
        }
    }

    private byte* At(long offset, int size)
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - size);
        ArgumentOutOfRangeException.ThrowIfNotEqual(offset % size, 0, nameof(offset));
        return Start + offset;
    }
}
