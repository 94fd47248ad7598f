using System.Collections.Immutable;
using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas;

/// <summary>A storage area as the catalogue knows it.</summary>
/// <param name="Id">Its number on its device, which no other area gets, whatever becomes of this one.</param>
/// <param name="Name">Its name.</param>
/// <param name="Owner">The user who may write it.</param>
/// <param name="SharedRead">Whether others may read it.</param>
/// <param name="Extents">Where its blocks are on the device, in the area's order; at least one, none next to its successor.</param>
internal sealed record Area(ulong Id, string Name, uint Owner, bool SharedRead, ImmutableArray<BlockExtent> Extents)
{
    /// <summary>The most extents of one area: a grant and a device's request have to name them all in one message.</summary>
    internal const int MaxExtents = 256;

    /// <summary>Blocks.</summary>
    internal long BlockCount => Extents.Sum(static extent => extent.Count);

    /// <summary>Whether a user may use it so. Root is no exception: who administers changes the owner first.</summary>
    internal bool Allows(uint user, AreaAccess access) => user == Owner || (access == AreaAccess.Read && SharedRead);
}
