using Arrakis.Contract;
using Arrakis.ControlPlane.Areas;

namespace Arrakis.Fuzz.Targets;

/// <summary>A copy of the catalogue of storage areas, from a disk that keeps what it likes. The first byte says whether its checksum is to fit.</summary>
internal sealed class CatalogueTarget : FuzzTarget
{
    public override string Name => "catalogue";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        [0, .. CatalogueFormat.Encode(State(), 7, 0)],
        [1, .. CatalogueFormat.Encode(State(), 7, 0).AsSpan(0, 320)],
        [1, .. CatalogueFormat.Encode(State() with { Areas = CatalogueState.NoAreas, Unzeroed = [new BlockExtent(0, 64)] }, 1, 0)],
    ];

    public override void Run(ReadOnlySpan<byte> input)
    {
        var reader = new InputReader(input);
        bool isSealed = (reader.Byte() & 1) != 0;
        byte[] copy = reader.Rest.ToArray();
        if (isSealed && CatalogueFormat.Length(copy) is > 0 and int length && length <= copy.Length)
        {
            CatalogueFormat.Seal(copy.AsSpan(0, length));
        }

        CatalogueState? state = CatalogueFormat.Decode(copy, 0, out ulong sequence, out string? fault);
        Promise(state is null != fault is null, "a copy is read, or has a fault");
        if (state is null)
        {
            Promise(fault!.Length > 0, "a fault says what it is");
            return;
        }

        Promise(state.Fault() is null, "a state that was read does not contradict itself");
        BlockExtent[] all = [.. state.Areas.Values.SelectMany(static area => area.Extents).Concat(state.Unzeroed).OrderBy(static extent => extent.Start)];
        Promise(all.Zip(all.Skip(1)).All(static pair => pair.First.End() <= pair.Second.Start), "no block belongs to two");
        Promise(all.Sum(static extent => extent.Count) + state.Free().Sum(static extent => extent.Count) == state.Geometry.UsableBlocks, "each block belongs to somebody or is free");
        Promise(state.Areas.All(static area => AreaName.IsValid(area.Key) && area.Key == area.Value.Name), "each area has a name");
        byte[] again = CatalogueFormat.Encode(state, sequence, 0);
        Promise(CatalogueFormat.Decode(again, 0, out ulong sameSequence, out _) is { } same && sameSequence == sequence
            && CatalogueFormat.Encode(same, sequence, 0).AsSpan().SequenceEqual(again), "what was read is written and read as the same");
    }

    private static CatalogueState State() => new(
        new Guid("0b0e2c53-58b5-4cf4-8a5c-6f7b9a2d4e10"),
        new CatalogueGeometry(4096, 1024, 4),
        NextAreaId: 9,
        CatalogueState.NoAreas
            .Add("log", new Area(3, "log", 1000, false, [new BlockExtent(0, 16), new BlockExtent(64, 8)]))
            .Add("shared.data", new Area(8, "shared.data", 0, true, [new BlockExtent(32, 4)])),
        [new BlockExtent(16, 8), new BlockExtent(1000, 24)]);
}
