using Arrakis.Contract;
using Arrakis.ControlPlane.Areas;

namespace Arrakis.ControlPlane.Tests.Areas;

/// <summary>The power is cut in each write and flush of each change, and in those of the recovery after it.</summary>
public sealed class PowerCutTests
{
    private const int CallsOfChange = 4; // Two copies, each written and flushed.
    private const int LossesOfEach = 12;

    [Fact]
    public void No_power_cut_loses_an_acknowledged_change_or_leaves_half_of_one()
    {
        var random = new Random(20);
        var disk = new SimulatedDisk();
        using AreaCatalogue catalogue = Catalogues.Open(disk);
        Fill(catalogue);
        int cuts = 0;
        int done = 0;
        int undone = 0;
        foreach (Action<AreaCatalogue> change in Changes())
        {
            string before = Catalogues.Describe(catalogue);
            int calls = disk.Calls;
            SimulatedDisk untouched = disk.Clone();
            change(catalogue);
            Assert.Equal(CallsOfChange, disk.Calls - calls);
            string after = Catalogues.Describe(catalogue);
            Assert.NotEqual(before, after);
            for (int call = 1; call <= CallsOfChange; call++)
            {
                for (int loss = 0; loss < LossesOfEach; loss++)
                {
                    SimulatedDisk cut = untouched.Clone();
                    Assert.Throws<PowerCutException>(() =>
                    {
                        using AreaCatalogue running = Catalogues.Open(cut);
                        cut.CutAt(call, random);
                        change(running);
                    });

                    // Every other time the process was killed first, and the power goes while the next one recovers.
                    if (loss % 2 == 0)
                    {
                        cut.PowerUp();
                    }
                    else
                    {
                        cut.ProcessDied();
                    }

                    cuts += 1 + CutRecovery(cut, 1 + loss % 3, random);
                    using AreaCatalogue recovered = Catalogues.Open(cut);
                    Catalogues.CheckWhole(recovered);
                    string found = Catalogues.Describe(recovered);
                    Assert.True(found == before || found == after, $"Call {call}, loss {loss}: found{found}\n\nneither{before}\n\nnor{after}");
                    done += found == after ? 1 : 0;
                    undone += found == before ? 1 : 0;

                    // What a recovery says stays so, and goes on.
                    cut.CutAt(1, random);
                    cut.PowerUp();
                    using AreaCatalogue again = Catalogues.Open(cut);
                    Assert.Equal(found, Catalogues.Describe(again));
                    Assert.Empty(again.Mended);
                    again.Create("later", Catalogues.UnitLength, 7);
                }
            }

            // After the change was acknowledged.
            SimulatedDisk acknowledged = disk.Clone();
            acknowledged.CutAt(1, random);
            acknowledged.PowerUp();
            cuts++;
            using AreaCatalogue kept = Catalogues.Open(acknowledged);
            Assert.Equal(after, Catalogues.Describe(kept));
            Assert.Empty(kept.Mended);
        }

        Assert.InRange(cuts, 2000, int.MaxValue);
        Assert.InRange(done, 300, int.MaxValue);
        Assert.InRange(undone, 300, int.MaxValue);
    }

    [Fact]
    public void A_power_cut_while_the_first_catalogue_is_made_leaves_none_or_a_whole_one()
    {
        var random = new Random(21);
        int none = 0;
        for (int call = 1; call <= 6; call++)
        {
            for (int loss = 0; loss < 20; loss++)
            {
                var disk = new SimulatedDisk();
                disk.CutAt(call, random);
                Assert.Throws<PowerCutException>(() => Catalogues.Open(disk));
                disk.PowerUp();
                using ICatalogueFile? left = disk.Open();
                none += left is null ? 1 : 0;
                using AreaCatalogue catalogue = Catalogues.Open(disk);
                Assert.Empty(catalogue.Areas);
                Assert.Empty(catalogue.Mended);
                Assert.Equal(Catalogues.Geometry.BlockCount, catalogue.FreeBlocks);
            }
        }

        Assert.InRange(none, 100, 119); // In all calls but the last, and in some of the last.
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void After_a_write_or_flush_that_failed_nothing_is_changed_before_the_file_was_read_again(int call)
    {
        var disk = new SimulatedDisk();
        string before;
        using (AreaCatalogue catalogue = Catalogues.Open(disk))
        {
            catalogue.Create("kept", Catalogues.UnitLength, 1000);
            before = Catalogues.Describe(catalogue);
            disk.CallsToError = call;
            ArrakisException failure = Assert.Throws<ArrakisException>(() => catalogue.Delete("kept"));
            Assert.Equal(ErrorCode.DeviceUnavailable, failure.Code);
            Assert.Contains("simulated", failure.Cause, StringComparison.Ordinal);
            Assert.Equal(before, Catalogues.Describe(catalogue));
            int calls = disk.Calls;
            Assert.Equal(ErrorCode.DeviceUnavailable, Assert.Throws<ArrakisException>(() => catalogue.Create("other", 1, 0)).Code);
            Assert.Equal(calls, disk.Calls);
        }

        using AreaCatalogue again = Catalogues.Open(disk);
        Assert.True(Catalogues.Describe(again) == before || again.Find("kept") is null);
        again.Create("other", 1, 0);
    }

    // Cuts the power in a call of the recovery, where it makes so many.
    private static int CutRecovery(SimulatedDisk disk, int call, Random random)
    {
        disk.CutAt(call, random);
        try
        {
            Catalogues.Open(disk).Dispose();
            disk.ProcessDied();
            return 0;
        }
        catch (PowerCutException)
        {
            disk.PowerUp();
            return 1;
        }
    }

    // Enough that a copy has several sectors, and that what is free is in pieces.
    private static void Fill(AreaCatalogue catalogue)
    {
        for (int i = 0; i < 24; i++)
        {
            catalogue.Create($"area-{i:00}-{new string('x', 50)}", (1 + i % 3) * Catalogues.UnitLength, (uint)(1000 + i));
        }

        for (int i = 0; i < 24; i += 4)
        {
            catalogue.Delete($"area-{i:00}-{new string('x', 50)}");
        }

        BlockExtent? unzeroed = catalogue.TakeUnzeroed(2 * Catalogues.UnitBlocks);
        catalogue.MarkZeroed(unzeroed!.Value);
    }

    private static IEnumerable<Action<AreaCatalogue>> Changes()
    {
        for (int i = 0; i < 8; i++)
        {
            int round = i;
            yield return catalogue => catalogue.Create($"new-{round}", (3 + round) * Catalogues.UnitLength, 5);
            yield return catalogue => catalogue.Grow($"new-{round}", (9 + round) * Catalogues.UnitLength);
            yield return catalogue => catalogue.Change($"new-{round}", $"newer-{round}", 6, true);
            yield return catalogue => catalogue.Delete(round % 2 == 0 ? $"newer-{round}" : $"area-{round:00}-{new string('x', 50)}");
            yield return catalogue => catalogue.MarkZeroed(catalogue.TakeUnzeroed(Catalogues.UnitBlocks)!.Value);
        }
    }
}
