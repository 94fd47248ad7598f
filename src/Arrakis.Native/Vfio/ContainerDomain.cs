using Arrakis.Native.Memory;
using Tmds.Linux;

namespace Arrakis.Native.Vfio;

/// <summary>A domain behind a type 1 container and the one group in it.</summary>
public sealed class ContainerDomain : DmaDomain
{
    /// <summary>Names of <see cref="Parts"/>.</summary>
    public const string ContainerPart = "container", GroupPart = "group";

    private const int Type1Version2 = 3; // VFIO_TYPE1v2_IOMMU: unmaps what was mapped, whole.

    /// <summary>Goes on with a domain that another process made.</summary>
    public ContainerDomain(Descriptor container, Descriptor group)
    {
        ArgumentNullException.ThrowIfNull(container);
        ArgumentNullException.ThrowIfNull(group);
        Container = container;
        Group = group;
    }

    /// <inheritdoc/>
    public override VfioInterface Interface => VfioInterface.Group;

    /// <inheritdoc/>
    public override uint Id => 0;

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, Descriptor Descriptor)> Parts => [(ContainerPart, Container), (GroupPart, Group)];

    internal Descriptor Container { get; }

    internal Descriptor Group { get; }

    /// <summary>Makes a domain for a group.</summary>
    /// <param name="group">The group's number.</param>
    /// <exception cref="LinuxException">The group is held by another file (EBUSY), not all of it is with VFIO (EPERM), or VFIO is not there.</exception>
    public static unsafe ContainerDomain Create(int group)
    {
        Descriptor container = Descriptor.Open("/dev/vfio/vfio", LibC.O_RDWR);
        Descriptor? member = null;
        try
        {
            member = Descriptor.Open($"/dev/vfio/{group}", LibC.O_RDWR);
            var status = new VfioCalls.GroupStatus { Size = (uint)sizeof(VfioCalls.GroupStatus) };
            _ = VfioCalls.Call(member, VfioCalls.GroupGetStatus, &status, "VFIO_GROUP_GET_STATUS");
            if ((status.Flags & VfioCalls.GroupStatus.Viable) == 0)
            {
                throw new LinuxException($"IOMMU group {group}: some of its devices are with other drivers", LibC.EPERM);
            }

            int number = container.Number;
            _ = VfioCalls.Call(member, VfioCalls.GroupSetContainer, &number, "VFIO_GROUP_SET_CONTAINER");
            _ = VfioCalls.Call(container, VfioCalls.SetIommu, Type1Version2, "VFIO_SET_IOMMU");
            return new ContainerDomain(container, member);
        }
        catch
        {
            member?.Dispose();
            container.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override unsafe void Map(MemoryMapping memory, Iova at)
    {
        var map = new VfioCalls.DmaMap
        {
            Size = (uint)sizeof(VfioCalls.DmaMap),
            Flags = VfioCalls.DmaMap.Read | VfioCalls.DmaMap.Write,
            Address = AddressOf(memory),
            Iova = at.Value,
            Length = (ulong)memory.Length,
        };
        _ = VfioCalls.Call(Container, VfioCalls.IommuMapDma, &map, $"VFIO_IOMMU_MAP_DMA({memory.Length} bytes at {at})");
    }

    /// <inheritdoc/>
    public override unsafe void Unmap(Iova at, long length)
    {
        var unmap = new VfioCalls.DmaUnmap { Size = (uint)sizeof(VfioCalls.DmaUnmap), Iova = at.Value, Length = (ulong)length };
        _ = VfioCalls.Call(Container, VfioCalls.IommuUnmapDma, &unmap, $"VFIO_IOMMU_UNMAP_DMA({length} bytes at {at})");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        Group.Dispose();
        Container.Dispose();
    }
}
