using Arrakis.Contract;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.Tests.Support;
using CsCheck;

namespace Arrakis.ControlPlane.Tests.Areas;

/// <summary>Any sequence of requests against a plain dictionary, and a note for each unit of the device of what is in it.</summary>
public sealed class CatalogueModelTests
{
    private static readonly string[] _names = ["a", "b", "c", "d", "e", "Not a name", ""];

    private static readonly Gen<Step> _step = Gen.Select(
        Gen.Enum<Kind>(), Gen.OneOf(_names), Gen.OneOf(_names), Gen.Int[-1, Catalogues.Units / 3], Gen.UInt[0, 3],
        static (kind, name, other, units, owner) => new Step(kind, name, other, units, owner));

    private enum Kind
    {
        Create, Grow, Delete, Rename, ChangeOwner, Share, Zero, FailToZero, Reopen,
    }

    [Fact]
    public void Every_sequence_of_requests_does_what_a_dictionary_says() =>
        _step.List[1, 120].Sample(Run, seed: Seeds.Fixed, iter: 150, threads: 1);

    private static void Run(List<Step> steps)
    {
        var disk = new SimulatedDisk();
        AreaCatalogue catalogue = Catalogues.Open(disk);
        Dictionary<string, (uint Owner, bool IsShared, List<long> Units)> model = [];
        bool[] isDirty = new bool[Catalogues.Units]; // Whether an area has had it since it was zeroed.
        foreach (Step step in steps)
        {
            switch (step.Kind)
            {
                case Kind.Create:
                    if (Attempt(() => catalogue.Create(step.Name, step.Length, step.Owner), Refusal(step, mayExist: false), out Area? created))
                    {
                        model.Add(step.Name, (step.Owner, false, Given(created!, [])));
                    }

                    break;
                case Kind.Grow:
                    if (Attempt(() => catalogue.Grow(step.Name, step.Length), Refusal(step, mayExist: true), out Area? grown))
                    {
                        model[step.Name] = model[step.Name] with { Units = Given(grown!, model[step.Name].Units) };
                    }

                    break;
                case Kind.Delete:
                    if (Attempt(() => catalogue.Delete(step.Name), model.ContainsKey(step.Name) ? null : ErrorCode.UnknownArea, out _))
                    {
                        model.Remove(step.Name);
                    }

                    break;
                case Kind.Rename:
                    if (Attempt(() => catalogue.Change(step.Name, newName: step.Other), RenameRefusal(step), out _) && model.Remove(step.Name, out var renamed))
                    {
                        model.Add(step.Other, renamed);
                    }

                    break;
                case Kind.ChangeOwner:
                    if (Attempt(() => catalogue.Change(step.Name, owner: step.Owner), model.ContainsKey(step.Name) ? null : ErrorCode.UnknownArea, out _))
                    {
                        model[step.Name] = model[step.Name] with { Owner = step.Owner };
                    }

                    break;
                case Kind.Share:
                    if (Attempt(() => catalogue.Change(step.Name, sharedRead: step.Units % 2 == 0), model.ContainsKey(step.Name) ? null : ErrorCode.UnknownArea, out _))
                    {
                        model[step.Name] = model[step.Name] with { IsShared = step.Units % 2 == 0 };
                    }

                    break;
                case Kind.Zero when catalogue.TakeUnzeroed(step.Units * Catalogues.UnitBlocks) is { } extent:
                    foreach (long unit in UnitsOf([extent]))
                    {
                        Assert.DoesNotContain(model.Values, area => area.Units.Contains(unit));
                        isDirty[unit] = false;
                    }

                    catalogue.MarkZeroed(extent);
                    break;
                case Kind.FailToZero when catalogue.TakeUnzeroed(step.Units * Catalogues.UnitBlocks) is { } extent:
                    catalogue.ReturnUnzeroed(extent);
                    break;
                case Kind.Reopen:
                    catalogue.Dispose();
                    catalogue = Catalogues.Open(disk);
                    Assert.Empty(catalogue.Mended);
                    break;
            }

            Compare();
        }

        catalogue.Dispose();

        List<long> Given(Area area, List<long> before)
        {
            List<long> units = UnitsOf(area.Extents);
            Assert.Equal(before, units.Take(before.Count)); // What was in an area stays where it was.
            foreach (long unit in units.Skip(before.Count))
            {
                Assert.False(isDirty[unit], $"Unit {unit} was given away before it was zeroed.");
                isDirty[unit] = true;
            }

            return units;
        }

        ErrorCode? Refusal(Step step, bool mayExist)
        {
            bool exists = model.TryGetValue(step.Name, out var area);
            return mayExist && !exists ? ErrorCode.UnknownArea
                : !mayExist && !AreaName.IsValid(step.Name) ? ErrorCode.InvalidRequest
                : !mayExist && exists ? ErrorCode.AreaExists
                : step.Units <= 0 || (exists && step.Units < area.Units.Count) ? ErrorCode.InvalidRequest
                : step.Units - (exists ? area.Units.Count : 0) > isDirty.Count(static dirty => !dirty) ? ErrorCode.StorageExhausted
                : null;
        }

        ErrorCode? RenameRefusal(Step step) =>
            !model.ContainsKey(step.Name) ? ErrorCode.UnknownArea
            : step.Name == step.Other ? null
            : !AreaName.IsValid(step.Other) ? ErrorCode.InvalidRequest
            : model.ContainsKey(step.Other) ? ErrorCode.AreaExists
            : null;

        void Compare()
        {
            Assert.Equal(model.Keys.Order(StringComparer.Ordinal), catalogue.Areas.Select(static area => area.Name));
            foreach (Area area in catalogue.Areas)
            {
                (uint owner, bool isShared, List<long> units) = model[area.Name];
                Assert.Equal((owner, isShared), (area.Owner, area.SharedRead));
                Assert.Equal(units, UnitsOf(area.Extents));
                Assert.Equal(units.Count * Catalogues.UnitBlocks, area.BlockCount);
                Assert.Same(area, catalogue.Find(area.Id));
            }

            Assert.Equal(isDirty.Count(static dirty => !dirty) * Catalogues.UnitBlocks, catalogue.FreeBlocks);
            Catalogues.CheckWhole(catalogue);
        }
    }

    private static List<long> UnitsOf(IEnumerable<BlockExtent> extents) =>
        [.. extents.SelectMany(static extent => Enumerable.Range(0, (int)(extent.Count / Catalogues.UnitBlocks)).Select(unit => extent.Start / Catalogues.UnitBlocks + unit))];

    private static bool Attempt(Func<Area> request, ErrorCode? refusal, out Area? area)
    {
        area = null;
        if (refusal is { } code)
        {
            ArrakisException refused = Assert.Throws<ArrakisException>(request);
            Assert.Equal(code, refused.Code);
            Assert.NotEmpty(refused.Remedy);
            return false;
        }

        area = request();
        return true;
    }

    // A length within the unit's last byte: it is rounded up.
    private sealed record Step(Kind Kind, string Name, string Other, int Units, uint Owner)
    {
        public long Length => Units <= 0 ? Units : (long)Units * Catalogues.UnitLength - (Owner % 2 == 0 ? 0 : Catalogues.UnitLength - 1);
    }
}
