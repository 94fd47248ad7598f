using System.Collections.Immutable;
using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas;

/// <summary>All that a catalogue says at one time.</summary>
/// <param name="Id">Tells catalogues apart: a copy of another one that came to this place is seen.</param>
/// <param name="Geometry">The device.</param>
/// <param name="NextAreaId">What the next area is called by number.</param>
/// <param name="Areas">The areas by name.</param>
/// <param name="Unzeroed">Blocks that belong to nobody and may hold what belonged to somebody: sorted, none next to its successor.</param>
internal sealed record CatalogueState(
    Guid Id,
    CatalogueGeometry Geometry,
    ulong NextAreaId,
    ImmutableSortedDictionary<string, Area> Areas,
    ImmutableArray<BlockExtent> Unzeroed)
{
    internal const int MaxAreas = 4096;
    internal const int MaxAreaExtents = 65536; // Of all areas.
    internal const int MaxUnzeroedExtents = 65536;

    internal static ImmutableSortedDictionary<string, Area> NoAreas { get; } = ImmutableSortedDictionary.Create<string, Area>(StringComparer.Ordinal);

    internal int AreaExtents => Areas.Values.Sum(static area => area.Extents.Length);

    /// <summary>Blocks that may be given to an area.</summary>
    internal List<BlockExtent> Free() =>
        ExtentList.Gaps(Areas.Values.SelectMany(static area => area.Extents).Concat(Unzeroed), Geometry.UsableBlocks);

    /// <summary>What contradicts itself, or null where nothing does.</summary>
    internal string? Fault()
    {
        if (!Geometry.IsValid)
        {
            return $"it is for a device of {Geometry.BlockCount} blocks of {Geometry.BlockSize} bytes in units of {Geometry.UnitBlocks}";
        }

        if (Areas.Values.FirstOrDefault(area => area.Id == 0 || area.Id >= NextAreaId) is { } numbered)
        {
            return $"area '{numbered.Name}' has the number {numbered.Id}, and the next one is to be {NextAreaId}";
        }

        if (Areas.Values.GroupBy(static area => area.Id).FirstOrDefault(static group => group.Count() > 1) is { } same)
        {
            return $"the areas {string.Join(" and ", same.Select(static area => $"'{area.Name}'"))} have the same number {same.Key}";
        }

        IEnumerable<(BlockExtent Extent, string Whose)> all =
        [
            .. Areas.Values.SelectMany(static area => area.Extents.Select(extent => (extent, $"area '{area.Name}'"))),
            .. Unzeroed.Select(static extent => (extent, "what is to be zeroed")),
        ];
        (BlockExtent Extent, string Whose) before = (default, "");
        foreach ((BlockExtent extent, string whose) in all.OrderBy(static entry => entry.Extent.Start))
        {
            if (extent.Start < 0 || extent.Count <= 0 || extent.Count > Geometry.UsableBlocks || extent.Start > Geometry.UsableBlocks - extent.Count
                || extent.Start % Geometry.UnitBlocks != 0 || extent.Count % Geometry.UnitBlocks != 0)
            {
                return $"{whose} has blocks from {extent.Start} on, {extent.Count} of them: these are no whole units of the device";
            }

            if (extent.Start < before.Extent.End())
            {
                return $"{before.Whose} and {whose} both have block {extent.Start}";
            }

            before = (extent, whose);
        }

        return null;
    }
}
