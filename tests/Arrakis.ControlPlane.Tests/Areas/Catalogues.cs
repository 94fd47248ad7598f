using Arrakis.Contract;
using Arrakis.ControlPlane.Areas;

namespace Arrakis.ControlPlane.Tests.Areas;

/// <summary>What tests of the catalogue share.</summary>
internal static class Catalogues
{
    internal const int BlockSize = 4096;
    internal const int UnitBlocks = 4;
    internal const int UnitLength = UnitBlocks * BlockSize;
    internal const int Units = 256;

    internal static readonly Guid Id = new("6c3a1f5e-2f6c-4c37-9e0f-3f0a5f1d8c11");

    internal static CatalogueGeometry Geometry { get; } = new(BlockSize, (long)Units * UnitBlocks, UnitBlocks);

    internal static AreaCatalogue Open(ICataloguePlace place, bool isZeroed = true) => AreaCatalogue.OpenOrCreate(place, Geometry, Id, isZeroed);

    /// <summary>All that a catalogue says, as a text.</summary>
    internal static string Describe(AreaCatalogue catalogue) =>
        string.Join('\n', catalogue.Areas.Select(static area => $"{area.Id} {area.Name} {area.Owner} {area.SharedRead} {string.Join(',', area.Extents)}"))
        + $"\nfree {catalogue.FreeBlocks} unzeroed {catalogue.UnzeroedBlocks}";

    /// <summary>Fails where two have a block, or one is nobody's.</summary>
    internal static void CheckWhole(AreaCatalogue catalogue)
    {
        BlockExtent[] extents = [.. catalogue.Areas.SelectMany(static area => area.Extents).OrderBy(static extent => extent.Start)];
        for (int i = 1; i < extents.Length; i++)
        {
            Assert.True(extents[i - 1].End() <= extents[i].Start, $"{extents[i - 1]} and {extents[i]} overlap.");
        }

        Assert.Equal(catalogue.Geometry.UsableBlocks, extents.Sum(static extent => extent.Count) + catalogue.FreeBlocks + catalogue.UnzeroedBlocks);
    }
}
