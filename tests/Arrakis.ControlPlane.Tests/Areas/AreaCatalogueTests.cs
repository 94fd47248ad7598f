using Arrakis.Contract;
using Arrakis.ControlPlane.Areas;

namespace Arrakis.ControlPlane.Tests.Areas;

public sealed class AreaCatalogueTests : IDisposable
{
    private readonly SimulatedDisk _disk = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-catalogue-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_length_is_rounded_up_to_whole_units()
    {
        using AreaCatalogue catalogue = Catalogues.Open(_disk);
        Assert.Equal(Catalogues.UnitBlocks, catalogue.Create("a", 1, 0).BlockCount);
        Assert.Equal(2 * Catalogues.UnitBlocks, catalogue.Create("b", Catalogues.UnitLength + 1, 0).BlockCount);
        Assert.Equal(2 * Catalogues.UnitBlocks, catalogue.Grow("b", 2 * Catalogues.UnitLength).BlockCount);
    }

    [Fact]
    public void The_usual_unit_of_allocation_is_a_mebibyte()
    {
        Assert.Equal(2048, CatalogueGeometry.Of(512, 1 << 20).UnitBlocks);
        Assert.Equal(256, CatalogueGeometry.Of(4096, 1 << 20).UnitBlocks);
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    [InlineData(0)]
    [InlineData((long)Catalogues.Units * Catalogues.UnitLength + 1)]
    public void A_length_that_cannot_be_is_refused(long length)
    {
        using AreaCatalogue catalogue = Catalogues.Open(_disk);
        ArrakisException refusal = Assert.Throws<ArrakisException>(() => catalogue.Create("a", length, 0));
        Assert.Equal(length > 0 ? ErrorCode.StorageExhausted : ErrorCode.InvalidRequest, refusal.Code);
        Assert.Equal((long)Catalogues.Units * Catalogues.UnitBlocks, catalogue.FreeBlocks);
    }

    [Fact]
    public void An_area_takes_the_smallest_gap_that_holds_it_and_grows_where_it_is()
    {
        using AreaCatalogue catalogue = Catalogues.Open(_disk);
        foreach ((string name, int units) in ((string, int)[])[("a", 6), ("b", 1), ("c", 3), ("d", 1)])
        {
            catalogue.Create(name, units * Catalogues.UnitLength, 0);
        }

        catalogue.Delete("a");
        catalogue.Delete("c");
        ZeroAll(catalogue);
        Assert.Equal([new BlockExtent(7 * Catalogues.UnitBlocks, 2 * Catalogues.UnitBlocks)], catalogue.Create("e", 2 * Catalogues.UnitLength, 0).Extents);
        Assert.Equal([new BlockExtent(0, 5 * Catalogues.UnitBlocks)], catalogue.Create("f", 5 * Catalogues.UnitLength, 0).Extents);
        Assert.Equal([new BlockExtent(0, 6 * Catalogues.UnitBlocks)], catalogue.Grow("f", 6 * Catalogues.UnitLength).Extents);
    }

    [Fact]
    public void A_device_in_too_many_pieces_refuses_an_area_of_more_extents_than_a_grant_holds()
    {
        var geometry = new CatalogueGeometry(512, 2 * (Area.MaxExtents + 1), 1);
        using AreaCatalogue catalogue = AreaCatalogue.OpenOrCreate(_disk, geometry, Catalogues.Id, isZeroed: true);
        for (int i = 0; i < geometry.BlockCount; i++)
        {
            catalogue.Create($"a{i}", 512, 0);
        }

        for (int i = 0; i < geometry.BlockCount; i += 2)
        {
            catalogue.Delete($"a{i}");
        }

        ZeroAll(catalogue);
        ArrakisException refusal = Assert.Throws<ArrakisException>(() => catalogue.Create("whole", 512 * (Area.MaxExtents + 1), 0));
        Assert.Equal(ErrorCode.StorageExhausted, refusal.Code);
        Assert.Contains("pieces", refusal.Cause, StringComparison.Ordinal);
        Assert.Equal(Area.MaxExtents, catalogue.Create("most", 512 * Area.MaxExtents, 0).Extents.Length);
    }

    [Fact]
    public void A_refusal_says_what_waits_to_be_zeroed()
    {
        using AreaCatalogue catalogue = Catalogues.Open(_disk);
        catalogue.Create("a", Catalogues.Units * Catalogues.UnitLength, 0);
        catalogue.Delete("a");
        ArrakisException refusal = Assert.Throws<ArrakisException>(() => catalogue.Create("b", 1, 0));
        Assert.Equal(ErrorCode.StorageExhausted, refusal.Code);
        Assert.Contains($"{Catalogues.Units * Catalogues.UnitLength} bytes of it are zeroed", refusal.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_is_not_known_to_be_zero_is_zeroed_first()
    {
        using AreaCatalogue catalogue = Catalogues.Open(_disk, isZeroed: false);
        Assert.Equal(0, catalogue.FreeBlocks);
        ZeroAll(catalogue);
        catalogue.Create("a", Catalogues.Units * Catalogues.UnitLength, 0);
    }

    [Fact]
    public void Two_who_zero_never_have_the_same_blocks()
    {
        using AreaCatalogue catalogue = Catalogues.Open(_disk, isZeroed: false);
        List<BlockExtent> taken = [];
        while (catalogue.TakeUnzeroed(7 * Catalogues.UnitBlocks) is { } extent)
        {
            taken.Add(extent);
        }

        Assert.Equal([new BlockExtent(0, Catalogues.Geometry.BlockCount)], ExtentList.Sort(taken));
        Assert.Equal(Catalogues.Geometry.BlockCount, taken.Sum(static extent => extent.Count));
        catalogue.MarkZeroed(taken[3]);
        Assert.Throws<ArgumentException>(() => catalogue.MarkZeroed(taken[3]));
        catalogue.ReturnUnzeroed(taken[5]);
        Assert.Equal(taken[5], catalogue.TakeUnzeroed(long.MaxValue));
        Assert.Null(catalogue.TakeUnzeroed(long.MaxValue));
    }

    [Fact]
    public void A_device_that_has_grown_gives_its_new_blocks_after_they_were_zeroed()
    {
        Catalogues.Open(_disk).Dispose();
        CatalogueGeometry grown = Catalogues.Geometry with { BlockCount = Catalogues.Geometry.BlockCount + 10 };
        using AreaCatalogue catalogue = AreaCatalogue.OpenOrCreate(_disk, grown, Catalogues.Id, isZeroed: true);
        Assert.Equal(Catalogues.Geometry.BlockCount, catalogue.FreeBlocks);
        Assert.Equal(2 * Catalogues.UnitBlocks, catalogue.UnzeroedBlocks); // The rest is no whole unit.
    }

    [Fact]
    public void The_owner_reads_and_writes_others_read_what_is_shared()
    {
        using AreaCatalogue catalogue = Catalogues.Open(_disk);
        Area area = catalogue.Create("a", 1, 1000);
        Assert.True(area.Allows(1000, AreaAccess.ReadWrite));
        Assert.False(area.Allows(1001, AreaAccess.Read));
        area = catalogue.Change("a", sharedRead: true);
        Assert.True(area.Allows(1001, AreaAccess.Read));
        Assert.False(area.Allows(1001, AreaAccess.ReadWrite));
        Assert.False(area.Allows(0, AreaAccess.ReadWrite));
    }

    [Fact]
    public async Task Many_threads_make_and_delete_areas_at_once()
    {
        using AreaCatalogue catalogue = Catalogues.Open(_disk);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            for (int i = 0; i < 40; i++)
            {
                catalogue.Create($"t{thread}-{i}", Catalogues.UnitLength, (uint)thread);
                if (i % 2 == 0)
                {
                    catalogue.Delete($"t{thread}-{i}");
                }
            }
        })));
        Assert.Equal(80, catalogue.Areas.Count());
        Catalogues.CheckWhole(catalogue);
    }

    [Fact]
    public void A_catalogue_on_the_machines_disk_is_found_again_and_for_root_alone()
    {
        var place = new CataloguePlace(Path.Combine(_folder, "areas"));
        string before;
        using (AreaCatalogue catalogue = Catalogues.Open(place))
        {
            catalogue.Create("a", 1, 1000);
            before = Catalogues.Describe(catalogue);
            ArrakisException taken = Assert.Throws<ArrakisException>(() => Catalogues.Open(place));
            Assert.Equal(ErrorCode.DeviceUnavailable, taken.Code);
        }

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(place.Path));
        Assert.Equal([place.Path], Directory.GetFiles(_folder));
        using AreaCatalogue again = Catalogues.Open(place);
        Assert.Equal(before, Catalogues.Describe(again));
        Assert.Empty(again.Mended);
    }

    [Fact]
    public void What_an_attempt_to_make_a_catalogue_left_does_not_hinder_the_next()
    {
        string path = Path.Combine(_folder, "areas");
        File.WriteAllText(path + ".new", "half");
        using AreaCatalogue catalogue = Catalogues.Open(new CataloguePlace(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_file_that_was_cut_off_is_refused_and_left()
    {
        string path = Path.Combine(_folder, "areas");
        File.WriteAllBytes(path, new byte[100]);
        Assert.Equal(ErrorCode.DataCorrupt, Assert.Throws<ArrakisException>(() => Catalogues.Open(new CataloguePlace(path))).Code);
        Assert.Equal(100, new FileInfo(path).Length);
    }

    [Fact]
    public void A_folder_that_is_not_there_is_said()
    {
        ArrakisException refusal = Assert.Throws<ArrakisException>(() => Catalogues.Open(new CataloguePlace(Path.Combine(_folder, "none", "areas"))));
        Assert.Equal(ErrorCode.DeviceUnavailable, refusal.Code);
        Assert.Contains(_folder, refusal.Cause, StringComparison.Ordinal);
    }

    private static void ZeroAll(AreaCatalogue catalogue)
    {
        while (catalogue.TakeUnzeroed(long.MaxValue) is { } extent)
        {
            catalogue.MarkZeroed(extent);
        }
    }
}
