using Arrakis.Native.Memory;
using Tmds.Linux;

namespace Arrakis.Native.Vfio;

/// <summary>A domain behind an iommufd: an address space of its own in a file of its own.</summary>
public sealed class IommufdDomain : DmaDomain
{
    /// <summary>Name of the one of <see cref="Parts"/>.</summary>
    public const string IommufdPart = "iommufd";

    /// <summary>Goes on with a domain that another process made.</summary>
    /// <param name="iommufd">The file.</param>
    /// <param name="id">The domain's <see cref="Id"/>.</param>
    public IommufdDomain(Descriptor iommufd, uint id)
    {
        ArgumentNullException.ThrowIfNull(iommufd);
        File = iommufd;
        Id = id;
    }

    /// <inheritdoc/>
    public override VfioInterface Interface => VfioInterface.Cdev;

    /// <inheritdoc/>
    public override uint Id { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, Descriptor Descriptor)> Parts => [(IommufdPart, File)];

    internal Descriptor File { get; }

    /// <summary>Makes an empty domain.</summary>
    /// <exception cref="LinuxException">The kernel has no iommufd (ENOENT), or no memory.</exception>
    public static unsafe IommufdDomain Create()
    {
        Descriptor file = Descriptor.Open("/dev/iommu", LibC.O_RDWR);
        try
        {
            var allocation = new VfioCalls.IoasAllocation { Size = (uint)sizeof(VfioCalls.IoasAllocation) };
            _ = VfioCalls.Call(file, VfioCalls.IoasAllocate, &allocation, "IOMMU_IOAS_ALLOC");
            return new IommufdDomain(file, allocation.Ioas);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override unsafe void Map(MemoryMapping memory, Iova at)
    {
        var map = new VfioCalls.IoasMapping
        {
            Size = (uint)sizeof(VfioCalls.IoasMapping),
            Flags = VfioCalls.IoasMapping.FixedIova | VfioCalls.IoasMapping.Readable | VfioCalls.IoasMapping.Writable,
            Ioas = Id,
            Address = AddressOf(memory),
            Length = (ulong)memory.Length,
            Iova = at.Value,
        };
        _ = VfioCalls.Call(File, VfioCalls.IoasMap, &map, $"IOMMU_IOAS_MAP({memory.Length} bytes at {at})");
    }

    /// <inheritdoc/>
    public override unsafe void Unmap(Iova at, long length)
    {
        var unmap = new VfioCalls.IoasUnmapping { Size = (uint)sizeof(VfioCalls.IoasUnmapping), Ioas = Id, Iova = at.Value, Length = (ulong)length };
        try
        {
            _ = VfioCalls.Call(File, VfioCalls.IoasUnmap, &unmap, $"IOMMU_IOAS_UNMAP({length} bytes at {at})");
        }
        catch (LinuxException e) when (e.Errno == LibC.ENOENT)
        {
            // As with a container, what is not there need not be taken.
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => File.Dispose();
}
