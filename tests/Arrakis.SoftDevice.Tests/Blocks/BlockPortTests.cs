using Arrakis.Contract;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Blocks;

public sealed class BlockPortTests
{
    private const int Block = BlocksUnderTest.BlockSize;

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void What_is_written_is_read_back_and_in_the_file(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(100, 50), new BlockExtent(10, 50));
        RequestShape[] shapes = [new(1), new(3), new(1, IsIndirect: true), new(8, IsIndirect: true)];
        for (int i = 0; i < shapes.Length; i++)
        {
            // Over the border of the extents.
            byte[] data = Bytes(i + 1, 16 * Block);
            ulong sector = 40 + (ulong)i;
            Assert.Equal(VirtioBlockStatus.Ok, blocks.Write(sector, data, shapes[i]));
            BlockOutcome read = blocks.Do(VirtioBlockType.Read, sector, room: data.Length, shape: shapes[i]);

            Assert.Equal(VirtioBlockStatus.Ok, read.Status);
            Assert.Equal((uint)data.Length + 1, read.Written);
            Assert.Equal(data, read.Data);
            byte[] content = blocks.Content;
            int first = (10 - i) * Block;
            Assert.Equal(data[..first], content[((140 + i) * Block)..(150 * Block)]);
            Assert.Equal(data[first..], content[(10 * Block)..(10 * Block + data.Length - first)]);
        }
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void Blocks_outside_of_the_area_are_refused_and_left_as_they_were(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(100, 8));
        byte[] before = blocks.Content;
        ulong[] outside = [8, 9, 100, 1UL << 32, ulong.MaxValue, ulong.MaxValue / Block, ulong.MaxValue / Block + 1, 1UL << 63];
        foreach (ulong sector in outside)
        {
            Assert.Equal(VirtioBlockStatus.Error, blocks.Write(sector, Bytes(1, Block)));
            BlockOutcome read = blocks.Do(VirtioBlockType.Read, sector, room: Block);
            Assert.Equal(VirtioBlockStatus.Error, read.Status);
            Assert.Equal(1u, read.Written);
            Assert.Equal(VirtioBlockStatus.Error, blocks.Zero(VirtioBlockType.WriteZeroes, sector, 1));
            Assert.NotEqual(VirtioBlockStatus.Ok, blocks.Zero(VirtioBlockType.Discard, sector, 1));
        }

        // The end of the request, rather than its start.
        Assert.Equal(VirtioBlockStatus.Error, blocks.Write(7, Bytes(1, 2 * Block)));
        Assert.Equal(VirtioBlockStatus.Error, blocks.Zero(VirtioBlockType.WriteZeroes, 7, 2));
        Assert.Equal(VirtioBlockStatus.Error, blocks.Zero(VirtioBlockType.WriteZeroes, 7, uint.MaxValue));

        Assert.Equal(before, blocks.Content);
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Write(7, Bytes(1, Block)));
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void What_is_no_whole_block_is_refused(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(0, 256));
        Assert.Equal(VirtioBlockStatus.Error, blocks.Write(0, []));
        Assert.Equal(VirtioBlockStatus.Error, blocks.Write(0, Bytes(1, Block + 1)));
        Assert.Equal(VirtioBlockStatus.Error, blocks.Do(VirtioBlockType.Read, 0, room: Block - 1).Status);
        Assert.Equal(VirtioBlockStatus.Error, blocks.Zero(VirtioBlockType.WriteZeroes, 0, 0));
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void An_area_that_is_read_only_takes_no_change(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(true, new BlockExtent(0, 16));
        byte[] before = blocks.Content;
        Assert.Equal(VirtioBlockStatus.Error, blocks.Write(0, Bytes(1, Block)));
        Assert.Equal(VirtioBlockStatus.Error, blocks.Zero(VirtioBlockType.WriteZeroes, 0, 1));
        Assert.Equal(VirtioBlockStatus.Error, blocks.Zero(VirtioBlockType.Discard, 0, 1));
        Assert.Equal(before[..Block], blocks.Do(VirtioBlockType.Read, 0, room: Block).Data);
        Assert.Equal(before, blocks.Content);
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void A_function_without_an_area_refuses_everything(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        Check();
        blocks.Show(false, new BlockExtent(0, 16));
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Write(0, Bytes(1, Block)));
        Assert.True(blocks.Port.TryShow(null));
        Check();

        void Check()
        {
            Assert.Equal(VirtioBlockStatus.Error, blocks.Write(0, Bytes(1, Block)));
            Assert.Equal(VirtioBlockStatus.Error, blocks.Do(VirtioBlockType.Read, 0, room: Block).Status);
            Assert.Equal(VirtioBlockStatus.Error, blocks.Do(VirtioBlockType.Flush, 0).Status);
            Assert.Equal(VirtioBlockStatus.Error, blocks.Do(VirtioBlockType.GetId, 0, room: VirtioBlockRequest.IdLength).Status);
            Assert.Equal(VirtioBlockStatus.Error, blocks.Zero(VirtioBlockType.WriteZeroes, 0, 1));
        }
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void Zeroed_and_discarded_blocks_read_as_zeros_and_their_neighbours_stay(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(0, 256));
        byte[] expected = blocks.Content;
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Zero(VirtioBlockType.WriteZeroes, 3, 20));
        expected.AsSpan(3 * Block, 20 * Block).Clear();
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Zero(VirtioBlockType.WriteZeroes, 100, 7, VirtioBlockSegment.Unmap));
        expected.AsSpan(100 * Block, 7 * Block).Clear();
        VirtioBlockStatus discard = blocks.Zero(VirtioBlockType.Discard, 130, 16);
        if (backing != "memory")
        {
            Assert.Equal(VirtioBlockStatus.Ok, discard);
            expected.AsSpan(130 * Block, 16 * Block).Clear();
        }
        else
        {
            Assert.Equal(VirtioBlockStatus.Unsupported, discard); // not offered
        }

        Assert.Equal(expected, blocks.Content);
        Assert.Equal(VirtioBlockStatus.Unsupported, blocks.Zero(VirtioBlockType.WriteZeroes, 0, 1, flags: 2));
        Assert.Equal(VirtioBlockStatus.Unsupported, blocks.Zero(VirtioBlockType.Discard, 0, 1, VirtioBlockSegment.Unmap));
        Assert.Equal(VirtioBlockStatus.Error, blocks.Do(VirtioBlockType.WriteZeroes, 0, new byte[2 * VirtioBlockSegment.Length]).Status);
        Assert.Equal(expected, blocks.Content);
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void A_function_has_a_name_and_does_not_do_what_it_does_not_know(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(0, 16));
        BlockOutcome id = blocks.Do(VirtioBlockType.GetId, 0, room: VirtioBlockRequest.IdLength);
        Assert.Equal("arrakis-blk0", System.Text.Encoding.ASCII.GetString(id.Data).TrimEnd('\0'));
        Assert.Equal(VirtioBlockStatus.Error, blocks.Do(VirtioBlockType.GetId, 0, room: VirtioBlockRequest.IdLength - 1).Status);
        Assert.Equal(VirtioBlockStatus.Unsupported, blocks.Do((VirtioBlockType)10, 0, room: 512).Status);
        Assert.Equal(VirtioBlockStatus.Unsupported, blocks.Do((VirtioBlockType)0x8000_0001, 0, Bytes(1, 512)).Status);
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Do(VirtioBlockType.Flush, 0).Status);
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Disks), MemberType = typeof(BlocksUnderTest))]
    public void A_disk_takes_memory_that_is_not_aligned(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(0, 256));
        byte[] expected = blocks.Content;
        var shape = new RequestShape(2, Shift: 3);

        // More than there are buffers between.
        for (int i = 0; i < 12; i++)
        {
            byte[] data = Bytes(i, 4 * Block);
            data.CopyTo(expected, i * 4 * Block);
            Assert.NotNull(blocks.Driver.TrySubmit(VirtioBlockType.Write, (ulong)i * 4, data, 0, shape));
        }

        for (int i = 0; i < 12; i++)
        {
            Assert.Equal(VirtioBlockStatus.Ok, blocks.Take().Status);
        }

        Assert.Equal(expected, blocks.Content);
        BlockOutcome read = blocks.Do(VirtioBlockType.Read, 5, room: 6 * Block, shape: shape);
        Assert.Equal(expected[(5 * Block)..(11 * Block)], read.Data);
    }

    [Theory]
    [InlineData("disk", RingFormat.Split, VirtioBlockFeatures.Flush)]
    [InlineData("disk", RingFormat.Split, VirtioFeatures.None)]
    [InlineData("disk", RingFormat.Packed, VirtioFeatures.None)]
    [InlineData(BlocksUnderTest.DiskOfKernelThread, RingFormat.Split, VirtioBlockFeatures.Flush)]
    [InlineData(BlocksUnderTest.DiskOfKernelThread, RingFormat.Packed, VirtioFeatures.None)]
    public void Writes_and_flushes_at_the_same_time_all_come_back(string backing, RingFormat format, VirtioFeatures features)
    {
        using var blocks = new BlocksUnderTest(backing, format, features: features);
        blocks.Show(false, new BlockExtent(0, 256));
        byte[] expected = blocks.Content;
        for (int round = 0; round < 20; round++)
        {
            var open = new HashSet<int>();
            for (int i = 0; i < 8; i++)
            {
                byte[] data = Bytes(round * 8 + i, Block);
                data.CopyTo(expected, (round * 8 + i) * Block);
                Assert.True(open.Add(blocks.Driver.TrySubmit(VirtioBlockType.Write, (ulong)(round * 8 + i), data, 0, new RequestShape(1))!.Value));
                if (i % 3 == 0)
                {
                    Assert.True(open.Add(blocks.Driver.TrySubmit(VirtioBlockType.Flush, 0, [], 0, new RequestShape(1))!.Value));
                }

                _ = blocks.Poll();
            }

            while (open.Count != 0)
            {
                BlockOutcome outcome = blocks.Take();
                Assert.Equal(VirtioBlockStatus.Ok, outcome.Status);
                Assert.True(open.Remove(outcome.Slot));
            }
        }

        Assert.Equal(expected, blocks.Content);
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Disks), MemberType = typeof(BlocksUnderTest))]
    public void An_area_is_not_let_go_of_while_the_disk_has_requests_of_it(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(0, 256));
        for (ulong i = 0; i < 8; i++)
        {
            Assert.NotNull(blocks.Driver.TrySubmit(VirtioBlockType.Write, i, Bytes(1, Block), 0, new RequestShape(1)));
        }

        _ = blocks.Poll();
        Assert.False(blocks.Port.TryShow(null));
        Assert.Null(blocks.Port.Area);
        Assert.False(blocks.Port.TryDetach(0));
        for (int i = 0; i < 8; i++)
        {
            while (!blocks.Port.TryDetach(0))
            {
                _ = blocks.Poll();
            }

            Assert.True(blocks.Driver.TryTake(out BlockOutcome outcome));
            Assert.Equal(VirtioBlockStatus.Ok, outcome.Status);
        }

        Assert.True(blocks.Port.TryShow(null));
    }

    [Theory]
    [MemberData(nameof(BlocksUnderTest.Kinds), MemberType = typeof(BlocksUnderTest))]
    public void A_file_that_was_truncated_gives_errors_and_nothing_worse(string backing, RingFormat format)
    {
        using var blocks = new BlocksUnderTest(backing, format);
        blocks.Show(false, new BlockExtent(0, 256));
        using (FileStream file = File.OpenWrite(blocks.Path))
        {
            file.SetLength(0);
        }

        BlockOutcome read = blocks.Do(VirtioBlockType.Read, 16, room: Block);
        Assert.Equal(VirtioBlockStatus.Error, read.Status);
        if (backing == "memory")
        {
            Assert.Equal(VirtioBlockStatus.Error, blocks.Write(0, Bytes(1, Block)));
            Assert.Equal(VirtioBlockStatus.Error, blocks.Zero(VirtioBlockType.WriteZeroes, 0, 1));
        }
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 0)]
    [InlineData(0, -5)]
    [InlineData(0, 257)]
    [InlineData(256, 1)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(1, long.MaxValue)]
    public void An_extent_outside_of_the_file_is_refused(long start, long count)
    {
        using var blocks = new BlocksUnderTest("memory", RingFormat.Split);
        ArrakisException refused = Assert.Throws<ArrakisException>(() => blocks.Show(false, new BlockExtent(0, 1), new BlockExtent(start, count)));
        Assert.Equal(ErrorCode.InvalidRequest, refused.Code);
    }

    private static byte[] Bytes(int seed, int count)
    {
        byte[] bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
