using Arrakis.Contract;
using Arrakis.ControlPlane.Devices;

namespace Arrakis.ControlPlane.Areas;

/// <summary>A storage area and the device that it is on, as they are at the moment.</summary>
/// <param name="Device">The device.</param>
/// <param name="Geometry">What its blocks are like.</param>
/// <param name="Name">The area's name.</param>
/// <param name="Owner">Its owner.</param>
/// <param name="SharedRead">Whether others may read it.</param>
/// <param name="Extents">Where its blocks are on the device, in their order.</param>
/// <param name="Function">The only function that has it; null where any can.</param>
internal sealed record LocatedArea(
    IBlockDevice Device, BlockGeometry Geometry, string Name, uint Owner, bool SharedRead, IReadOnlyList<BlockExtent> Extents, int? Function)
{
    /// <summary>Blocks.</summary>
    internal long BlockCount => Extents.Sum(static extent => extent.Count);

    /// <summary>Bytes.</summary>
    internal long Length => BlockCount * Geometry.BlockSize;

    /// <summary>Whether a user may use it so. Root is no exception: who administers changes the owner first.</summary>
    internal bool Allows(uint user, AreaAccess access) => user == Owner || (access == AreaAccess.Read && SharedRead);
}
