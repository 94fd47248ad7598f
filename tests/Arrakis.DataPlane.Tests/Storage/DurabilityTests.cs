using Arrakis.Contract;
using Arrakis.TestBed.Storage;
using Arrakis.Wire.Virtio;
using static Arrakis.DataPlane.Tests.Storage.BlockFormats;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>When a write is durable: flushes that begin after its completion, and no others.</summary>
public sealed class DurabilityTests
{
    [Fact]
    public async Task A_durable_write_is_followed_by_a_flush_and_a_cached_one_is_not()
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        BlockBuffer buffer = Filled(queue, 1);
        Run(device, queue, storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Cached));
        Assert.Equal(0, ((MemoryMedium)device.Medium).Flushes);
        ValueTask durable = storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Durable);
        Assert.Equal([VirtioBlockType.Write], Serve(device, queue));
        _ = queue.Poll();
        Assert.False(durable.IsCompleted);
        Assert.Equal([VirtioBlockType.Flush], Serve(device, queue));
        _ = queue.Poll();
        Assert.True(durable.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Without_a_volatile_cache_nothing_is_flushed()
    {
        using var device = new MemoryBlockDevice(new MemoryBlockOptions { Capabilities = StorageCapabilities.None });
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        BlockBuffer buffer = Filled(queue, 1);
        Run(device, queue, storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Durable));
        Assert.True(storage.Area.FlushAsync().IsCompletedSuccessfully);
        queue.Submit([new BlockRequest(BlockOperation.Flush, 0, 0, default, 5)]);
        var results = new BlockResult[1];
        Assert.Equal(1, queue.Poll(results));
        Assert.Equal(new BlockResult(5, BlockStatus.Success, 0), results[0]);
        Assert.Equal(0, ((MemoryMedium)device.Medium).Flushes);
    }

    [Fact]
    public async Task Concurrent_durable_writes_share_a_flush_but_none_that_began_before_their_completion()
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        var writes = new ValueTask[6];
        for (int i = 0; i < 4; i++)
        {
            writes[i] = storage.Area.WriteAsync(i, Filled(queue, 1), 4096, WriteDurability.Durable);
        }

        Assert.Equal(4, Serve(device, queue).Count);
        _ = queue.Poll(); // All four are completed: one flush for all.
        Assert.True(device.TryTake(out DeviceBlockRequest first));
        Assert.Equal(VirtioBlockType.Flush, first.Type);
        Assert.False(device.TryTake(out _));

        // Two more are written while the flush is under way, and the user asks for a flush: they have to wait for another.
        writes[4] = storage.Area.WriteAsync(4, Filled(queue, 1), 4096, WriteDurability.Durable);
        writes[5] = storage.Area.WriteAsync(5, Filled(queue, 1), 4096, WriteDurability.Durable);
        ValueTask flush = storage.Area.FlushAsync();
        Assert.Equal([VirtioBlockType.Write, VirtioBlockType.Write], Serve(device, queue));
        _ = queue.Poll();
        Assert.False(device.TryTake(out _));
        Assert.DoesNotContain(writes, static write => write.IsCompleted);

        device.Complete(first, VirtioBlockStatus.Ok);
        device.Publish();
        _ = queue.Poll();
        Assert.All(writes[..4], static write => Assert.True(write.IsCompletedSuccessfully));
        Assert.All(writes[4..], static write => Assert.False(write.IsCompleted));
        Assert.False(flush.IsCompleted);
        Assert.Equal([VirtioBlockType.Flush], Serve(device, queue));
        _ = queue.Poll();
        Assert.All(writes[4..], static write => Assert.True(write.IsCompletedSuccessfully));
        Assert.True(flush.IsCompletedSuccessfully);
        Assert.Empty(Serve(device, queue));
    }

    [Fact]
    public async Task A_flush_that_fails_fails_all_that_it_was_for_and_nobody_else()
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        ValueTask one = storage.Area.WriteAsync(1, Filled(queue, 1), 4096, WriteDurability.Durable);
        ValueTask two = storage.Area.WriteAsync(2, Filled(queue, 1), 4096, WriteDurability.Durable);
        _ = Serve(device, queue);
        _ = queue.Poll();
        Assert.True(device.TryTake(out DeviceBlockRequest flush));
        ValueTask three = storage.Area.WriteAsync(3, Filled(queue, 1), 4096, WriteDurability.Durable);
        _ = Serve(device, queue);
        _ = queue.Poll();
        device.Complete(flush, VirtioBlockStatus.Error);
        device.Publish();
        _ = queue.Poll();
        Assert.Equal(1, (await Assert.ThrowsAsync<BlockRequestException>(() => one.AsTask())).Block);
        BlockRequestException error = await Assert.ThrowsAsync<BlockRequestException>(() => two.AsTask());
        Assert.Equal((BlockOperation.Write, 2L, BlockStatus.MediaError), (error.Operation, error.Block, error.Status));
        Run(device, queue, three);
    }

    // What the device saw, all of it served.
    private static List<VirtioBlockType> Serve(MemoryBlockDevice device, BlockQueue queue)
    {
        _ = queue.Poll();
        List<VirtioBlockType> types = [];
        while (device.TryTake(out DeviceBlockRequest request))
        {
            types.Add(request.Type);
            device.Complete(request, device.Serve(request));
        }

        device.Publish();
        return types;
    }
}
