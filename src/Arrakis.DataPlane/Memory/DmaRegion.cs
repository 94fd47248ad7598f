using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Memory;

namespace Arrakis.DataPlane.Memory;

/// <summary>
/// The queue memory of a grant, mapped. The control plane may truncate the file at any time: reads then give zeros and
/// <see cref="IsFaulted"/> is true.
/// </summary>
internal sealed unsafe class DmaRegion : IDisposable
{
    private readonly MemoryMapping _mapping;

    private DmaRegion(MemoryMapping mapping, Iova start)
    {
        _mapping = mapping;
        Start = start;
    }

    /// <summary>Device address of the first byte.</summary>
    public Iova Start { get; }

    /// <summary>Bytes.</summary>
    public long Length => _mapping.Length;

    /// <summary>Whether the memory was taken away under the mapping. No system call.</summary>
    public bool IsFaulted => _mapping.IsFaulted;

    /// <summary>Maps the memory that a grant describes.</summary>
    /// <exception cref="InvalidGrantException">The file is not as long as the grant says, or the numbers make no sense.</exception>
    public static DmaRegion Map(MemoryGrant grant, Descriptor file)
    {
        if (grant.PageSize is not (MemoryFile.BasePageSize or MemoryFile.HugePageSize)
            || grant.Length <= 0
            || grant.Length % grant.PageSize != 0)
        {
            throw new InvalidGrantException($"Queue memory of {grant.Length} bytes is not made of whole pages of {grant.PageSize} bytes.");
        }

        if (grant.IovaBase > ulong.MaxValue - (ulong)grant.Length)
        {
            throw new InvalidGrantException($"Queue memory of {grant.Length} bytes at 0x{grant.IovaBase:x} goes past the end of the device's addresses.");
        }

        long real = MemoryFile.GetLength(file);
        if (real < grant.Length)
        {
            throw new InvalidGrantException($"The grant says {grant.Length} bytes of queue memory, the file has {real}.");
        }

        return new DmaRegion(MemoryMapping.Map(file, 0, grant.Length, MappingAccess.ReadWrite), new Iova(grant.IovaBase));
    }

    /// <summary>The host address of a range, which must lie inside.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It does not.</exception>
    public byte* At(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - length);
        return _mapping.Start + offset;
    }

    public void Dispose() => _mapping.Dispose();
}
