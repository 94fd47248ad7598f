using Arrakis.TestBed.Storage;
using Arrakis.Wire.Virtio;
using Microsoft.Extensions.Time.Testing;
using static Arrakis.DataPlane.Tests.Storage.BlockFormats;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>A device that does not answer, or does so late.</summary>
public sealed class BlockTimeoutTests
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(8);

    [Fact]
    public async Task A_request_fails_after_its_time_and_its_buffer_stays_out_of_use_until_the_device_gives_it_back()
    {
        var time = new FakeTimeProvider();
        using var device = new MemoryBlockDevice(new MemoryBlockOptions { Buffers = 2 });
        await using StorageBinding storage = device.Bind(s_timeout, time);
        BlockQueue queue = storage.Queues[0];
        BlockBuffer buffer = Filled(queue, 1);
        ValueTask read = storage.Area.ReadAsync(3, buffer, 4096);
        Wait(queue, time, s_timeout - TimeSpan.FromSeconds(1));
        Assert.False(read.IsCompleted);
        Wait(queue, time, TimeSpan.FromSeconds(3));
        BlockRequestException error = await Assert.ThrowsAsync<BlockRequestException>(() => read.AsTask());
        Assert.Equal((BlockOperation.Read, 3L, BlockStatus.TimedOut), (error.Operation, error.Block, error.Status));

        // Given back by its owner, but not by the device.
        Assert.Throws<InvalidOperationException>(() => buffer.Span.Length);
        Assert.Throws<InvalidOperationException>(() => _ = storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Cached));
        queue.Buffers.Return(buffer);
        Assert.Throws<InvalidOperationException>(() => queue.Buffers.Return(buffer));
        Assert.Equal(1, queue.Buffers.FreeCount);
        BlockBuffer other = Filled(queue, 2);
        Assert.False(queue.Buffers.TryRent(out _));

        // The device writes late: nobody's bytes.
        Assert.Equal(1, device.Poll());
        _ = queue.Poll();
        Assert.Equal(-1, other.Span.IndexOfAnyExcept((byte)2));
        Assert.Equal(1, queue.Buffers.FreeCount);
        Run(device, queue, storage.Area.ReadAsync(0, Filled(queue, 3), 4096));
    }

    [Fact]
    public async Task A_buffer_that_the_device_gives_back_before_its_owner_does_waits_for_the_owner()
    {
        var time = new FakeTimeProvider();
        using var device = new MemoryBlockDevice(new MemoryBlockOptions { Buffers = 1 });
        await using StorageBinding storage = device.Bind(s_timeout, time);
        BlockQueue queue = storage.Queues[0];
        BlockBuffer buffer = Filled(queue, 1);
        ValueTask write = storage.Area.WriteAsync(3, buffer, 4096, WriteDurability.Durable);
        Wait(queue, time, 2 * s_timeout);
        await Assert.ThrowsAsync<BlockRequestException>(() => write.AsTask());
        Assert.Equal(1, device.Poll());
        _ = queue.Poll();
        Assert.Equal(0, queue.Buffers.FreeCount);
        queue.Buffers.Return(buffer);
        Assert.Equal(1, queue.Buffers.FreeCount);
        Run(device, queue, storage.Area.WriteAsync(0, Filled(queue, 3), 4096, WriteDurability.Durable));
    }

    [Fact]
    public async Task What_waits_for_a_tag_or_a_flush_fails_too_and_late_answers_make_the_queue_whole_again()
    {
        var time = new FakeTimeProvider();
        using var device = new MemoryBlockDevice(new MemoryBlockOptions { QueueSize = 4 });
        await using StorageBinding storage = device.Bind(s_timeout, time);
        BlockQueue queue = storage.Queues[0];
        ValueTask durable = storage.Area.WriteAsync(0, Filled(queue, 1), 4096, WriteDurability.Durable);
        _ = queue.Poll();
        _ = device.Poll();
        _ = queue.Poll(); // Its flush is with the device.
        ValueTask[] writes = [.. Enumerable.Range(0, 10).Select(i => storage.Area.WriteAsync(i, Filled(queue, 1), 4096, WriteDurability.Cached))];
        ValueTask flush = storage.Area.FlushAsync();
        Wait(queue, time, 2 * s_timeout);
        Assert.Equal(BlockOperation.Write, (await Assert.ThrowsAsync<BlockRequestException>(() => durable.AsTask())).Operation);
        foreach (ValueTask write in writes)
        {
            Assert.Equal(BlockStatus.TimedOut, (await Assert.ThrowsAsync<BlockRequestException>(() => write.AsTask())).Status);
        }

        Assert.Equal(BlockOperation.Flush, (await Assert.ThrowsAsync<BlockRequestException>(() => flush.AsTask())).Operation);
        Assert.Equal(4, device.Poll());
        for (int i = 0; i < 20; i++)
        {
            Run(device, queue, storage.Area.WriteAsync(i, Filled(queue, 1), 4096, WriteDurability.Durable));
        }
    }

    [Fact]
    public async Task A_poller_that_was_away_finds_what_is_done_and_not_what_is_too_old()
    {
        var time = new FakeTimeProvider();
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind(s_timeout, time);
        BlockQueue queue = storage.Queues[0];
        ValueTask write = storage.Area.WriteAsync(0, Filled(queue, 1), 4096, WriteDurability.Cached);
        Wait(queue, time, TimeSpan.FromSeconds(2));
        Assert.Equal(1, device.Poll());
        time.Advance(TimeSpan.FromDays(1));
        _ = queue.Poll();
        Assert.True(write.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_late_answer_that_comes_twice_ends_the_binding()
    {
        var time = new FakeTimeProvider();
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind(s_timeout, time);
        BlockQueue queue = storage.Queues[0];
        ValueTask write = storage.Area.WriteAsync(0, Filled(queue, 1), 4096, WriteDurability.Cached);
        Wait(queue, time, 2 * s_timeout);
        await Assert.ThrowsAsync<BlockRequestException>(() => write.AsTask());
        Assert.True(device.TryTake(out DeviceBlockRequest request));
        ValueTask next = storage.Area.WriteAsync(1, Filled(queue, 1), 4096, WriteDurability.Cached);
        _ = queue.Poll();
        device.Complete(request, VirtioBlockStatus.Ok);
        device.Complete(request, VirtioBlockStatus.Ok);
        device.Publish();
        Assert.Throws<RingCorruptException>(() => queue.Poll());
        await Assert.ThrowsAsync<RingCorruptException>(() => next.AsTask());
    }

    private static void Wait(BlockQueue queue, FakeTimeProvider time, TimeSpan span)
    {
        for (TimeSpan step = TimeSpan.FromMilliseconds(250); span > TimeSpan.Zero; span -= step)
        {
            time.Advance(step);
            for (int i = 0; i < 64; i++)
            {
                _ = queue.Poll();
            }
        }
    }
}
