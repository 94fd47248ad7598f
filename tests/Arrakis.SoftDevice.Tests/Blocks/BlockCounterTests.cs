using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.SoftDevice.Blocks;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Blocks;

public sealed class BlockCounterTests
{
    private const int Block = BlocksUnderTest.BlockSize;

    // How to have one request refused for each reason.
    private static readonly Dictionary<string, Action<BlocksUnderTest>> _provocations = new()
    {
        ["no-area"] = blocks =>
        {
            Assert.True(blocks.Port.TryShow(null));
            _ = blocks.Do(VirtioBlockType.Flush, 0);
        },
        ["outside-area"] = blocks => blocks.Write(15, new byte[2 * Block]),
        ["read-only"] = blocks =>
        {
            blocks.Show(true, new BlockExtent(0, 16));
            _ = blocks.Zero(VirtioBlockType.WriteZeroes, 0, 1);
        },
        ["not-whole-blocks"] = blocks => blocks.Write(0, new byte[Block + 1]),
        ["too-long"] = blocks => blocks.Zero(VirtioBlockType.WriteZeroes, 0, uint.MaxValue),
        ["malformed"] = blocks => blocks.Do(VirtioBlockType.WriteZeroes, 0, new byte[2 * VirtioBlockSegment.Length]),
        ["unsupported"] = blocks => blocks.Do((VirtioBlockType)10, 0, room: Block),
    };

    public static TheoryData<string, string> Refusals()
    {
        TheoryData<string, string> data = [];
        foreach (string reason in _provocations.Keys)
        {
            data.Add(reason, "memory");
            data.Add(reason, "disk");
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Refusals))]
    public void Each_refusal_is_counted_once_under_its_own_name(string reason, string backing)
    {
        using var blocks = new BlocksUnderTest(backing, RingFormat.Split);
        blocks.Show(false, new BlockExtent(0, 16));
        _provocations[reason](blocks);
        BlockCounters counters = blocks.Port.Statistics.Read();

        Assert.Equal(new Dictionary<string, long> { [reason] = 1 }, counters.Refusals);
        AssertDone(new BlockCounters(), counters);
    }

    [Fact]
    public void Every_reason_has_a_name_of_its_own_and_a_provocation_here()
    {
        BlockRefusal[] refusals = [.. Enum.GetValues<BlockRefusal>().Where(refusal => refusal != BlockRefusal.None)];
        Assert.Equal(_provocations.Keys.Order(), refusals.Select(BlockRefusals.Name).Order());
        Assert.Equal(refusals.Length + 1, BlockRefusals.Count);
        _ = Assert.Throws<ArgumentOutOfRangeException>(() => BlockRefusals.Name(BlockRefusal.None));
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void What_is_done_is_counted_with_its_bytes(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(100, 8), new BlockExtent(10, 8));
        bool isDisk = backing != "memory";
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Write(6, new byte[4 * Block])); // over the border of the extents: one all the same
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Write(0, new byte[Block], new RequestShape(1, Shift: 3)));
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(VirtioBlockStatus.Ok, blocks.Do(VirtioBlockType.Read, 2, room: 2 * Block).Status);
        }

        Assert.Equal(VirtioBlockStatus.Ok, blocks.Do(VirtioBlockType.Flush, 0).Status);
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Zero(VirtioBlockType.WriteZeroes, 0, 5));
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Do(VirtioBlockType.GetId, 0, room: VirtioBlockRequest.IdLength).Status);
        bool hasDiscarded = blocks.Zero(VirtioBlockType.Discard, 0, 5) == VirtioBlockStatus.Ok;

        BlockCounters counters = blocks.Port.Statistics.Read();
        AssertDone(
            new BlockCounters { Reads = 3, BytesRead = 6 * Block, Writes = 2, BytesWritten = 5 * Block, Flushes = 1, WriteZeroes = 1, Discards = isDisk ? 1 : 0 },
            counters);
        Assert.Equal(isDisk, hasDiscarded);
        Assert.Equal(isDisk ? 0 : 1, counters.Refusals.GetValueOrDefault("unsupported")); // memory offers no discard
        blocks.Port.Statistics.Clear();
        AssertDone(new BlockCounters(), blocks.Port.Statistics.Read());
        Assert.Empty(blocks.Port.Statistics.Read().Refusals);
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void What_the_medium_fails_is_an_error_and_was_not_read(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(0, 256));
        using (FileStream file = File.OpenWrite(blocks.Path))
        {
            file.SetLength(0);
        }

        Assert.Equal(VirtioBlockStatus.Error, blocks.Do(VirtioBlockType.Read, 16, room: Block).Status);
        BlockCounters counters = blocks.Port.Statistics.Read();
        AssertDone(new BlockCounters { Errors = 1 }, counters);
        Assert.Empty(counters.Refusals);
    }

    private static void AssertDone(BlockCounters expected, BlockCounters actual) =>
        Assert.Equal(expected with { Refusals = actual.Refusals }, actual);
}
