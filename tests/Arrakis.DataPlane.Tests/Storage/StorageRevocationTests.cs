using Arrakis.Contract;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.TestBed.Storage;
using static Arrakis.DataPlane.Tests.Storage.BlockFormats;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>A binding that is taken, asked back or given back, with requests under way.</summary>
public sealed class StorageRevocationTests
{
    [Theory]
    [InlineData(BindingState.Revoked, false)]
    [InlineData(BindingState.Aborted, false)]
    [InlineData(BindingState.Revoked, true)]
    public async Task Requests_under_way_fail_and_so_do_those_that_come(BindingState state, bool truncated)
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        BlockBuffer buffer = Filled(queue, 1);
        ValueTask[] requests = [.. Enumerable.Range(0, 100).Select(i => storage.Area.WriteAsync(i, buffer, 4096, WriteDurability.Durable)), storage.Area.FlushAsync()];
        _ = queue.Poll();
        if (truncated)
        {
            device.Memory.Truncate(0);
        }

        device.SetState(state);
        BindingRevokedException error = Assert.Throws<BindingRevokedException>(() => queue.Poll());
        Assert.Equal(state, error.State);
        foreach (ValueTask request in requests)
        {
            Assert.Equal(43ul, (await Assert.ThrowsAsync<BindingRevokedException>(() => request.AsTask())).BindingId);
        }

        await Assert.ThrowsAsync<BindingRevokedException>(() => storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Durable).AsTask());
        await Assert.ThrowsAsync<BindingRevokedException>(() => storage.Area.FlushAsync().AsTask());
        Assert.Throws<BindingRevokedException>(() => queue.Submit([new BlockRequest(BlockOperation.Flush, 0, 0, default, 1)]));
        Assert.Throws<BindingRevokedException>(() => queue.Poll());
        Assert.Throws<BindingRevokedException>(storage.ThrowIfRevoked);
    }

    [Fact]
    public async Task Being_asked_back_calls_the_application_once_and_disposing_gives_it_back()
    {
        using var device = new MemoryBlockDevice();
        var asked = new TaskCompletionSource<RevocationRequest>();
        StorageBinding storage = device.Bind(onRevocation: async (request, binding) =>
        {
            asked.SetResult(request);
            await binding.DisposeAsync();
        });
        device.AskBack(deadline: 123);
        while (!asked.Task.IsCompleted)
        {
            _ = storage.Queues[0].Poll();
        }

        Assert.Equal(123, (await asked.Task).DeadlineNanoseconds);
        await storage.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(1, device.Released);
        Assert.Equal(BindingState.Released, storage.State);
    }

    [Fact]
    public async Task Disposing_fails_what_is_under_way_and_closes_the_buffers()
    {
        using var device = new MemoryBlockDevice();
        StorageBinding storage = device.Bind();
        BlockBuffer buffer = Filled(storage.Queues[0], 1);
        ValueTask write = storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Durable);
        await storage.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => write.AsTask());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => storage.Area.FlushAsync().AsTask());
        Assert.Throws<ObjectDisposedException>(() => storage.Queues[0].Poll());
        Assert.Throws<ObjectDisposedException>(() => buffer.Span.Length);
        Assert.Equal(1, device.Released);
        await storage.DisposeAsync();
        Assert.Equal(1, device.Released);
    }

    [Fact]
    public async Task A_device_that_came_back_is_told_to_look()
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        _ = storage.Queues[0].Poll();
        Assert.True(device.Kick().TryDrain());
        device.SetLink(up: false, epoch: 1);
        _ = storage.Queues[0].Poll();
        Assert.False(device.Kick().TryDrain());
        device.SetLink(up: true, epoch: 1);
        _ = storage.Queues[0].Poll();
        Assert.True(device.Kick().TryDrain());
    }
}
