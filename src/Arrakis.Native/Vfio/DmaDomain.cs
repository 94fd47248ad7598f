using Arrakis.Native.Memory;

namespace Arrakis.Native.Vfio;

/// <summary>
/// An IOMMU domain: what the device may reach, and nothing else. Mapped pages stay pinned until they are unmapped, whatever
/// becomes of the file that they are of, of the process that mapped them, or of its mapping.
/// </summary>
public abstract class DmaDomain : IDisposable
{
    private protected DmaDomain()
    {
    }

    /// <summary>Which interface it is of.</summary>
    public abstract VfioInterface Interface { get; }

    /// <summary>What the kernel calls it: needed to go on with it in another process.</summary>
    public abstract uint Id { get; }

    /// <summary>What keeps it alive, by name: another process goes on with these.</summary>
    public abstract IReadOnlyList<(string Name, Descriptor Descriptor)> Parts { get; }

    /// <summary>Lets the device read and write memory.</summary>
    /// <param name="memory">Mapped memory, whole.</param>
    /// <param name="at">The device's address of its first byte; page aligned.</param>
    /// <exception cref="LinuxException">Mapped already (EEXIST), not an address of the IOMMU's (EINVAL), or more than the kernel allows (ENOMEM, ENOSPC).</exception>
    public abstract void Map(MemoryMapping memory, Iova at);

    /// <summary>Ends the device's access: accesses fault from here on, and the pages are unpinned. Nothing happens where nothing is mapped.</summary>
    /// <param name="at">As it was mapped.</param>
    /// <param name="length">As it was mapped.</param>
    /// <exception cref="LinuxException">Another range is mapped there.</exception>
    public abstract void Unmap(Iova at, long length);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the descriptors; the domain ends when no other is left of them.</summary>
    protected abstract void Dispose(bool disposing);

    private protected static unsafe ulong AddressOf(MemoryMapping memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        return (ulong)memory.Start;
    }
}
