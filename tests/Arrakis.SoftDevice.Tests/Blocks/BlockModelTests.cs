using Arrakis.Contract;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;
using CsCheck;

namespace Arrakis.SoftDevice.Tests.Blocks;

/// <summary>Random requests against an array of bytes that has the same done to it.</summary>
public sealed class BlockModelTests
{
    private const int Block = BlocksUnderTest.BlockSize;
    private const int Blocks = 96;
    private const int MaxCount = 24;

    private static readonly Gen<Step> _step = Gen.Select(
        Gen.Frequency((4, Gen.Const(VirtioBlockType.Write)), (4, Gen.Const(VirtioBlockType.Read)), (1, Gen.Const(VirtioBlockType.WriteZeroes)), (1, Gen.Const(VirtioBlockType.Flush))),
        Gen.Int[0, Blocks + 4],
        Gen.Int[1, MaxCount],
        Gen.Int[1, 5],
        Gen.Bool,
        Gen.Frequency((3, Gen.Const(0)), (1, Gen.Const(1)), (1, Gen.Const(512))),
        (type, block, count, pieces, indirect, shift) => new Step(type, block, count, new RequestShape(pieces, indirect, shift)));

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void A_disk_is_an_array_of_bytes(string backing, RingFormat format) =>
        _step.List[1, 60].Sample(steps => Run(backing, format, steps), seed: Seeds.Fixed, iter: backing == "memory" ? 80 : 15, threads: 1);

    private static void Run(string backing, RingFormat format, List<Step> steps)
    {
        using var blocks = new BlocksUnderTest(backing, format, features: steps.Count % 2 == 0 ? VirtioBlockFeatures.Flush : VirtioFeatures.None);
        BlockExtent[] extents = [new(200, 17), new(3, 40), new(43, 1), new(60, 38)];
        blocks.Show(false, extents);
        byte[] file = blocks.Content;
        byte[] model = [.. extents.SelectMany(extent => file[(int)(extent.Start * Block)..(int)((extent.Start + extent.Count) * Block)])];
        Assert.Equal(Blocks * Block, model.Length);
        for (int number = 0; number < steps.Count; number++)
        {
            Apply(blocks, steps[number], model, number);
        }

        // The file is the model where the area is, and what it was everywhere else.
        int at = 0;
        foreach (BlockExtent extent in extents)
        {
            model.AsSpan(at, (int)extent.Count * Block).CopyTo(file.AsSpan((int)extent.Start * Block));
            at += (int)extent.Count * Block;
        }

        Assert.Equal(file, blocks.Content);
    }

    private static void Apply(BlocksUnderTest blocks, Step step, byte[] model, int number)
    {
        int length = step.Count * Block;
        bool isInside = step.Block + step.Count <= Blocks;
        Span<byte> place = isInside ? model.AsSpan(step.Block * Block, length) : [];
        VirtioBlockStatus expected = isInside ? VirtioBlockStatus.Ok : VirtioBlockStatus.Error;
        switch (step.Type)
        {
            case VirtioBlockType.Write:
                byte[] data = new byte[length];
                new Random(number).NextBytes(data);
                Assert.Equal(expected, blocks.Write((ulong)step.Block, data, step.Shape));
                data.AsSpan(0, place.Length).CopyTo(place);
                break;
            case VirtioBlockType.Read:
                BlockOutcome read = blocks.Do(step.Type, (ulong)step.Block, room: length, shape: step.Shape);
                Assert.Equal(expected, read.Status);
                if (isInside)
                {
                    Assert.Equal(place.ToArray(), read.Data);
                }

                break;
            case VirtioBlockType.WriteZeroes:
                Assert.Equal(expected, blocks.Zero(step.Type, (ulong)step.Block, (uint)step.Count));
                place.Clear();
                break;
            default:
                Assert.Equal(VirtioBlockStatus.Ok, blocks.Do(step.Type, 0).Status);
                break;
        }
    }

    private sealed record Step(VirtioBlockType Type, int Block, int Count, RequestShape Shape);
}
