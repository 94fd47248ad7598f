using Arrakis.Native.Memory;
using Arrakis.Native.Storage;

namespace Arrakis.SoftDevice.Memory;

/// <summary>A file in memory, mapped as a whole. Where it is truncated, the mapping reads as zeros and says so.</summary>
public sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMapping _mapping;

    /// <summary>Maps a file; it has its pages already.</summary>
    /// <param name="file">The file; not owned, and not needed afterwards.</param>
    /// <exception cref="Native.LinuxException">The kernel refuses the mapping.</exception>
    public MappedFile(BlockFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        _mapping = MemoryMapping.Map(file.Descriptor, 0, file.Length, MappingAccess.ReadWrite);
        _mapping.Populate();
    }

    /// <summary>Whether the file was truncated under the mapping, and touched: what is here is no longer in the file.</summary>
    public bool IsFaulted => _mapping.IsFaulted;

    /// <summary>A range of the file.</summary>
    public Span<byte> At(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, _mapping.Length - length);
        return new Span<byte>(_mapping.Start + offset, length);
    }

    /// <inheritdoc/>
    public void Dispose() => _mapping.Dispose();
}
