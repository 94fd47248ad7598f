using System.Collections.Immutable;
using Arrakis.Contract;
using Arrakis.ControlPlane.Areas;

namespace Arrakis.ControlPlane.Tests.Areas;

/// <summary>A disk that does not keep what was written to it, and files that were made to deceive.</summary>
public sealed class CatalogueDamageTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_bit_that_flips_anywhere_in_a_copy_is_seen_said_and_mended(int copy)
    {
        (SimulatedDisk disk, string before) = Filled();
        int length = CatalogueFormat.Length(disk.Copy(copy));
        Assert.InRange(length, 600, 4000);
        for (int at = 0; at < length; at++)
        {
            SimulatedDisk damaged = disk.Clone();
            damaged.Damage(copy, bytes => bytes[at] ^= (byte)(1 << (at % 8)));
            AssertMended(damaged, before, copy);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_copy_that_was_written_to_the_others_place_is_seen(int copy)
    {
        (SimulatedDisk disk, string before) = Filled();
        disk.Damage(copy, bytes => disk.Copy(1 - copy).CopyTo(bytes, 0));
        Assert.Contains("belongs elsewhere", AssertMended(disk, before, copy), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    [InlineData(1, 2)]
    public void Writes_that_a_disk_acknowledged_and_lost_are_seen(int copy, int writes)
    {
        (SimulatedDisk disk, _) = Filled();
        byte[] old = disk.Copy(copy);
        string before;
        using (AreaCatalogue catalogue = Catalogues.Open(disk))
        {
            for (int i = 0; i < writes; i++)
            {
                catalogue.Create($"later-{i}", 1, 9);
            }

            before = Catalogues.Describe(catalogue);
        }

        disk.Damage(copy, bytes => old.CopyTo(bytes, 0));
        Assert.Contains("a write was lost", AssertMended(disk, before, copy), StringComparison.Ordinal);
    }

    [Fact]
    public void A_single_sector_whose_write_was_lost_is_seen()
    {
        (SimulatedDisk disk, _) = Filled();
        byte[] old = disk.Copy(0);
        string before;
        using (AreaCatalogue catalogue = Catalogues.Open(disk))
        {
            catalogue.Change("area-0", owner: 77);
            before = Catalogues.Describe(catalogue);
        }

        disk.Damage(0, bytes => old.AsSpan(0, SimulatedDisk.SectorLength).CopyTo(bytes));
        AssertMended(disk, before, 0);
    }

    [Fact]
    public void Two_broken_copies_are_refused_with_their_places_and_left_as_they_are()
    {
        (SimulatedDisk disk, _) = Filled();
        disk.Damage(0, static bytes => bytes[100] ^= 1);
        disk.Damage(1, static bytes => bytes.AsSpan().Clear());
        byte[] broken = disk.Copy(0);
        ArrakisException refusal = Assert.Throws<ArrakisException>(() => Catalogues.Open(disk));
        Assert.Equal(ErrorCode.DataCorrupt, refusal.Code);
        Assert.Contains("copy 0 at byte 0: the checksum is", refusal.Cause, StringComparison.Ordinal);
        Assert.Contains($"copy 1 at byte {CatalogueFormat.CopyLength}: there is no header", refusal.Cause, StringComparison.Ordinal);
        Assert.Equal(broken, disk.Copy(0));
        Assert.Equal(new byte[broken.Length], disk.Copy(1));
    }

    [Fact]
    public void An_empty_file_is_no_empty_catalogue()
    {
        (SimulatedDisk disk, _) = Filled();
        disk.Damage(0, static bytes => bytes.AsSpan().Clear());
        disk.Damage(1, static bytes => bytes.AsSpan().Clear());
        Assert.Equal(ErrorCode.DataCorrupt, Assert.Throws<ArrakisException>(() => Catalogues.Open(disk)).Code);
        Assert.All((int[])[0, 1], copy => Assert.DoesNotContain(disk.Copy(copy), static value => value != 0));
    }

    [Fact]
    public void Copies_of_two_catalogues_are_not_mixed()
    {
        (SimulatedDisk disk, _) = Filled();
        disk.Damage(1, static bytes => CatalogueFormat.Encode(State() with { Id = Guid.Empty }, 99, 1).CopyTo(bytes, 0));
        ArrakisException refusal = Assert.Throws<ArrakisException>(() => Catalogues.Open(disk));
        Assert.Equal(ErrorCode.DataCorrupt, refusal.Code);
        Assert.Contains("different catalogues", refusal.Cause, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("overlap", "both have block 0")]
    [InlineData("unzeroed", "area 'b' and what is to be zeroed both have block 8")]
    [InlineData("outside", "no whole units")]
    [InlineData("negative", "no whole units")]
    [InlineData("huge", "no whole units")]
    [InlineData("unaligned", "no whole units")]
    [InlineData("number", "the same number 1")]
    [InlineData("next", "the next one is to be 2")]
    [InlineData("geometry", "of 513 bytes")]
    public void A_state_that_contradicts_itself_is_refused_whatever_its_checksum(string kind, string cause)
    {
        Area a = new(1, "a", 1000, false, [new BlockExtent(0, 4)]);
        Area b = new(2, "b", 1000, true, [new BlockExtent(8, 4)]);
        CatalogueState good = State() with { NextAreaId = 3, Areas = CatalogueState.NoAreas.Add("a", a).Add("b", b) };
        Assert.Null(good.Fault());
        CatalogueState bad = kind switch
        {
            "overlap" => With(good, b with { Extents = [new BlockExtent(8, 4), new BlockExtent(0, 4)] }),
            "unzeroed" => good with { Unzeroed = [new BlockExtent(8, 4)] },
            "outside" => With(good, b with { Extents = [new BlockExtent(Catalogues.Geometry.BlockCount, 4)] }),
            "negative" => With(good, b with { Extents = [new BlockExtent(-4, 4)] }),
            "huge" => With(good, b with { Extents = [new BlockExtent(8, long.MaxValue - 3)] }),
            "unaligned" => With(good, b with { Extents = [new BlockExtent(9, 4)] }),
            "number" => With(good, b with { Id = 1 }),
            "next" => good with { NextAreaId = 2 },
            _ => good with { Geometry = good.Geometry with { BlockSize = 513 } },
        };

        (SimulatedDisk disk, _) = Filled();
        disk.Damage(0, bytes => CatalogueFormat.Encode(bad, 5, 0).CopyTo(bytes, 0));
        disk.Damage(1, bytes => CatalogueFormat.Encode(bad, 5, 1).CopyTo(bytes, 0));
        ArrakisException refusal = Assert.Throws<ArrakisException>(() => Catalogues.Open(disk));
        Assert.Equal(ErrorCode.DataCorrupt, refusal.Code);
        Assert.Contains(cause, refusal.Cause, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(512, 4096)]
    [InlineData(4096, 512)]
    public void A_catalogue_of_another_device_is_refused(int blockSize, long blockCount)
    {
        (SimulatedDisk disk, _) = Filled();
        ArrakisException refusal = Assert.Throws<ArrakisException>(() => AreaCatalogue.OpenOrCreate(disk, new CatalogueGeometry(blockSize, blockCount, 4), Catalogues.Id, isZeroed: true));
        Assert.Equal(ErrorCode.DataCorrupt, refusal.Code);
        Assert.Contains("belong together", refusal.Remedy, StringComparison.Ordinal);
    }

    private static CatalogueState With(CatalogueState state, Area area) => state with { Areas = state.Areas.SetItem(area.Name, area) };

    private static CatalogueState State() => new(Catalogues.Id, Catalogues.Geometry, 1, CatalogueState.NoAreas, ImmutableArray<BlockExtent>.Empty);

    private static (SimulatedDisk Disk, string Before) Filled()
    {
        var disk = new SimulatedDisk();
        using AreaCatalogue catalogue = Catalogues.Open(disk);
        for (int i = 0; i < 16; i++)
        {
            catalogue.Create($"area-{i}", (1 + i) * Catalogues.UnitLength, 1000);
        }

        catalogue.Delete("area-3");
        return (disk, Catalogues.Describe(catalogue));
    }

    private static string AssertMended(SimulatedDisk disk, string before, int copy)
    {
        string said;
        using (AreaCatalogue mended = Catalogues.Open(disk))
        {
            Assert.Equal(before, Catalogues.Describe(mended));
            said = Assert.Single(mended.Mended);
            Assert.StartsWith($"copy {copy} at byte {copy * CatalogueFormat.CopyLength}: ", said, StringComparison.Ordinal);
        }

        using AreaCatalogue again = Catalogues.Open(disk);
        Assert.Empty(again.Mended);
        Assert.Equal(before, Catalogues.Describe(again));
        return said;
    }
}
