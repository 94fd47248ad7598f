using Arrakis.Contract;
using Arrakis.TestBed.Storage;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;
using static Arrakis.DataPlane.Tests.Storage.BlockFormats;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>What a block queue does with a device that keeps the rules.</summary>
public sealed class BlockQueueTests
{
    public static TheoryData<RingFormat, bool> Formats => All;

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task What_is_written_is_read_again(RingFormat format, bool indirect)
    {
        using var device = new MemoryBlockDevice(Options(format, indirect));
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        for (int round = 0; round < 3 * queue.Depth; round++)
        {
            BlockBuffer buffer = Filled(queue, (byte)round);
            Run(device, queue, storage.Area.WriteAsync(round % 256, buffer, 4096, WriteDurability.Cached));
            buffer.Span.Clear();
            Run(device, queue, storage.Area.ReadAsync(round % 256, buffer, 4096));
            Assert.Equal(-1, buffer.Span.IndexOfAnyExcept((byte)round));
            queue.Buffers.Return(buffer);
        }

        Assert.Equal(queue.Buffers.Count, queue.Buffers.FreeCount);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task Blocks_are_zeroed_and_given_back(RingFormat format, bool indirect)
    {
        var medium = new MemoryMedium(256 * 4096);
        medium.Bytes.Fill(0x55);
        using var device = new MemoryBlockDevice(Options(format, indirect) with { Medium = medium });
        await using StorageBinding storage = device.Bind();
        Run(device, storage.Queues[0], storage.Area.WriteZeroesAsync(3, 5));
        Run(device, storage.Queues[0], storage.Area.DiscardAsync(250, 6));
        Assert.Equal(-1, medium.Bytes[..(3 * 4096)].IndexOfAnyExcept((byte)0x55));
        Assert.Equal(-1, medium.Bytes[(3 * 4096)..(8 * 4096)].IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, medium.Bytes[(8 * 4096)..(250 * 4096)].IndexOfAnyExcept((byte)0x55));
        Assert.Equal(-1, medium.Bytes[(250 * 4096)..].IndexOfAnyExcept((byte)0xDD));
    }

    [Fact]
    public async Task A_device_that_cannot_zero_is_written_zeros_and_one_that_cannot_discard_is_left_alone()
    {
        var medium = new MemoryMedium(256 * 4096);
        medium.Bytes.Fill(0x55);
        using var device = new MemoryBlockDevice(new MemoryBlockOptions { Medium = medium, Capabilities = StorageCapabilities.None });
        await using StorageBinding storage = device.Bind();
        Run(device, storage.Queues[0], storage.Area.WriteZeroesAsync(3, 5));
        Assert.True(storage.Area.DiscardAsync(250, 6).IsCompletedSuccessfully);
        Assert.Equal(5 * 4096, medium.Bytes.Count((byte)0));
        Assert.Equal(0, device.Poll());
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task More_requests_than_the_ring_has_room_for_wait_and_are_done_in_their_order(RingFormat format, bool indirect)
    {
        using var device = new MemoryBlockDevice(Options(format, indirect) with { QueueSize = 8 });
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        Assert.Equal(indirect ? 8 : 2, queue.Depth);
        var requests = new BlockRequest[100];
        for (int i = 0; i < requests.Length; i++)
        {
            requests[i] = new BlockRequest(BlockOperation.Write, i, 1, Filled(queue, (byte)i), (ulong)i);
        }

        queue.Submit(requests);
        var results = new BlockResult[7];
        ulong next = 0;
        for (int turns = 0; next < 100; turns++)
        {
            Assert.True(turns < 1000, "requests are lost");
            int count = queue.Poll(results);
            for (int i = 0; i < count; i++)
            {
                Assert.Equal(new BlockResult(next++, BlockStatus.Success, 0), results[i]);
            }

            Assert.True(device.Poll() <= queue.Depth);
        }
    }

    [Fact]
    public async Task A_request_goes_over_extents_and_transfers()
    {
        var medium = new MemoryMedium(64 * 512);
        using var device = new MemoryBlockDevice(new MemoryBlockOptions
        {
            BlockSize = 512,
            Medium = medium,
            Extents = [new BlockExtent(40, 3), new BlockExtent(10, 1), new BlockExtent(50, 12)],
            MaxTransferLength = 1024,
        });
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        Assert.Equal(16, storage.Area.BlockCount);
        Assert.Equal(2, storage.Area.MaxTransferBlocks);
        Assert.True(queue.Buffers.TryRent(out BlockBuffer buffer));
        for (int i = 0; i < 8; i++)
        {
            buffer.Span.Slice(i * 512, 512).Fill((byte)(i + 1));
        }

        ValueTask write = storage.Area.WriteAsync(1, buffer, 8 * 512, WriteDurability.Cached);
        _ = queue.Poll();
        var taken = new List<(ulong Sector, long Count)>();
        while (device.TryTake(out DeviceBlockRequest request))
        {
            taken.Add((request.Sector, request.Sectors));
            device.Complete(request, device.Serve(request));
        }

        device.Publish();
        Run(device, queue, write);
        Assert.Equal([(41, 2), (10, 1), (50, 2), (52, 2), (54, 1)], taken);
        int[] places = [41, 42, 10, 50, 51, 52, 53, 54];
        Assert.All(places.Index(), place => Assert.Equal(place.Index + 1, medium.Bytes[place.Item * 512]));
        buffer.Span.Clear();
        Run(device, queue, storage.Area.ReadAsync(1, buffer, 8 * 512));
        Assert.All(Enumerable.Range(0, 8), i => Assert.Equal(i + 1, buffer.Span[i * 512]));
    }

    [Theory]
    [InlineData(VirtioBlockStatus.Error, BlockStatus.MediaError)]
    [InlineData(VirtioBlockStatus.Unsupported, BlockStatus.Unsupported)]
    [InlineData((VirtioBlockStatus)3, BlockStatus.DeviceFault)]
    [InlineData((VirtioBlockStatus)255, BlockStatus.DeviceFault)]
    public async Task A_failure_names_the_request_and_the_status(VirtioBlockStatus raw, BlockStatus status)
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        BlockBuffer buffer = Filled(storage.Queues[0], 1);
        ValueTask write = storage.Area.WriteAsync(17, buffer, 4096, WriteDurability.Durable);
        _ = storage.Queues[0].Poll();
        Assert.True(device.TryTake(out DeviceBlockRequest request));
        device.Complete(request, raw);
        device.Publish();
        _ = storage.Queues[0].Poll();
        Assert.True(write.IsFaulted);
        BlockRequestException error = await Assert.ThrowsAsync<BlockRequestException>(() => write.AsTask());
        Assert.Equal((BlockOperation.Write, 17L, 1L, status, (int)raw), (error.Operation, error.Block, error.BlockCount, error.Status, error.RawStatus));
        Assert.False(device.TryTake(out _), "no flush follows a write that failed");
        Run(device, storage.Queues[0], storage.Area.ReadAsync(17, buffer, 4096)); // The binding goes on.
    }

    [Fact]
    public async Task Numbers_that_do_not_fit_are_refused_before_anything_is_asked()
    {
        using var device = new MemoryBlockDevice(new MemoryBlockOptions { BlockCount = 10, BufferSize = 8192 });
        await using StorageBinding storage = device.Bind();
        IStorageArea area = storage.Area;
        BlockBuffer buffer = Filled(storage.Queues[0], 1);
        foreach ((long block, int length) in new[] { (-1L, 4096), (10L, 4096), (9L, 8192), (long.MaxValue, 4096), (0L, 0), (0L, -4096), (0L, 100), (0L, 12288), (0L, int.MinValue) })
        {
            Assert.ThrowsAny<ArgumentOutOfRangeException>(() => _ = area.ReadAsync(block, buffer, length));
            Assert.ThrowsAny<ArgumentOutOfRangeException>(() => _ = area.WriteAsync(block, buffer, length, WriteDurability.Cached));
        }

        foreach ((long block, long count) in new[] { (-1L, 1L), (0L, 0L), (0L, 11L), (9L, 2L), (long.MaxValue, 1L), (1L, long.MaxValue), (0L, -1L) })
        {
            Assert.ThrowsAny<ArgumentOutOfRangeException>(() => _ = area.DiscardAsync(block, count));
            Assert.ThrowsAny<ArgumentOutOfRangeException>(() => _ = area.WriteZeroesAsync(block, count));
            Assert.ThrowsAny<ArgumentOutOfRangeException>(() => storage.Queues[0].Submit([new BlockRequest(BlockOperation.Write, block, count, buffer, 1)]));
        }

        Assert.ThrowsAny<ArgumentOutOfRangeException>(() => storage.Queues[0].Submit([new BlockRequest(BlockOperation.Read, 0, 3, buffer, 1)]));
        Assert.ThrowsAny<ArgumentOutOfRangeException>(() => storage.Queues[0].Submit([new BlockRequest((BlockOperation)9, 0, 1, buffer, 1)]));
        Assert.Throws<InvalidOperationException>(() => _ = area.ReadAsync(0, default, 4096));
        Assert.Throws<InvalidOperationException>(() => default(BlockBuffer).Span.Length);
        Assert.Equal(0, default(BlockBuffer).Length);
        storage.Queues[0].Buffers.Return(buffer);
        Assert.Throws<InvalidOperationException>(() => _ = area.ReadAsync(0, buffer, 4096));
        Assert.Throws<InvalidOperationException>(() => storage.Queues[0].Buffers.Return(buffer));
        Assert.Throws<InvalidOperationException>(() => storage.Queues[0].Buffers.Return(default));
        _ = storage.Queues[0].Poll();
        Assert.Equal(0, device.Poll());
    }

    [Fact]
    public async Task An_area_that_may_be_read_only_is_not_written()
    {
        using var device = new MemoryBlockDevice(new MemoryBlockOptions { Access = AreaAccess.Read });
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        BlockBuffer buffer = Filled(queue, 1);
        foreach (Func<ValueTask> change in new Func<ValueTask>[]
        {
            () => storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Cached),
            () => storage.Area.DiscardAsync(0, 1),
            () => storage.Area.WriteZeroesAsync(0, 1),
        })
        {
            Assert.Equal(BlockStatus.ReadOnly, (await Assert.ThrowsAsync<BlockRequestException>(() => change().AsTask())).Status);
        }

        queue.Submit([new BlockRequest(BlockOperation.Write, 0, 1, buffer, 7), new BlockRequest(BlockOperation.Read, 0, 1, buffer, 8)]);
        var results = new BlockResult[2];
        Assert.Equal(1, queue.Poll(results));
        Assert.Equal(new BlockResult(7, BlockStatus.ReadOnly, 0), results[0]);
        Assert.Equal(1, device.Poll());
        Assert.Equal(1, queue.Poll(results));
        Assert.Equal(new BlockResult(8, BlockStatus.Success, 0), results[0]);
    }

    [Fact]
    public async Task The_doorbell_is_rung_where_the_device_wants_it()
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        BlockBuffer buffer = Filled(storage.Queues[0], 1);
        Run(device, storage.Queues[0], storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Cached));
        Assert.True(device.Kick().TryDrain(), "a device that may have been away is woken at first");
        Run(device, storage.Queues[0], storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Cached));
        Assert.False(device.Kick().TryDrain());
        device.AskForDoorbell(true);
        ValueTask last = storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Cached);
        _ = storage.Queues[0].Poll();
        Assert.True(device.Kick().TryDrain());
        Run(device, storage.Queues[0], last);
    }

    [Fact]
    public async Task Each_queue_has_buffers_and_requests_of_its_own()
    {
        using var device = new MemoryBlockDevice(new MemoryBlockOptions { Queues = 3, Buffers = 4 });
        await using StorageBinding storage = device.Bind();
        Assert.Throws<InvalidOperationException>(() => storage.Area);
        for (int i = 0; i < 3; i++)
        {
            BlockBuffer buffer = Filled(storage.Queues[i], (byte)(i + 1));
            Run(device, storage.Queues[i], storage.Queues[i].Area.WriteAsync(i, buffer, 4096, WriteDurability.Durable));
            Assert.Throws<InvalidOperationException>(() => _ = storage.Queues[(i + 1) % 3].Area.WriteAsync(0, buffer, 4096, WriteDurability.Cached));
        }

        Assert.Equal([1, 2, 3], Enumerable.Range(0, 3).Select(i => (int)((MemoryMedium)device.Medium).Bytes[i * 4096]));
    }
}
