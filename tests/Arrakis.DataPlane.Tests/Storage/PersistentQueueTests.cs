namespace Arrakis.DataPlane.Tests.Storage;

public sealed class PersistentQueueTests
{
    [Fact]
    public void What_was_not_acknowledged_is_delivered_again_in_order()
    {
        byte[] medium = new byte[512 * 64];
        PersistentQueue queue = Open(medium);
        for (byte i = 0; i < 10; i++)
        {
            _ = Now(queue.EnqueueAsync(new[] { i }));
        }

        LogPosition[] positions = [.. Enumerable.Range(0, 6).Select(_ => Now(queue.TryDequeueAsync())!.Value.Position)];
        foreach (int acknowledged in (int[])[1, 4, 0])
        {
            Now(queue.AcknowledgeAsync(positions[acknowledged]));
        }

        Assert.Throws<InvalidOperationException>(() => Now(queue.AcknowledgeAsync(positions[4])));
        Assert.Throws<InvalidOperationException>(() => Now(queue.AcknowledgeAsync(new LogPosition(7))));

        PersistentQueue again = Open(medium); // As after a crash: nobody closed it.
        Assert.Equal([2, 3, 5, 6, 7, 8, 9], Drain(again));
        Assert.Null(Now(again.TryDequeueAsync()));
    }

    [Fact]
    public async Task A_consumer_waits_for_the_next_item()
    {
        await using PersistentQueue queue = await PersistentQueue.OpenOrCreateAsync(Area(new byte[512 * 64]));
        Task<QueueItem> next = queue.DequeueAsync(TestContext.Current.CancellationToken).AsTask();
        Assert.False(next.IsCompleted);
        LogPosition position = await queue.EnqueueAsync(new byte[] { 9, 8 });
        QueueItem item = await next;

        Assert.Equal(position, item.Position);
        Assert.Equal([9, 8], item.Data.ToArray());
        using var cancel = new CancellationTokenSource();
        Task<QueueItem> none = queue.DequeueAsync(cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<TaskCanceledException>(() => none);
    }

    [Fact]
    public void A_queue_runs_round_its_area_as_often_as_it_is_emptied()
    {
        byte[] medium = new byte[512 * 20];
        PersistentQueue queue = Open(medium);
        byte expected = 0;
        byte next = 0;
        for (int i = 0; i < 500; i++)
        {
            _ = Now(queue.EnqueueAsync(new[] { next++ }));
            if (i % 50 == 49)
            {
                Now(queue.DisposeAsync());
                queue = Open(medium);
            }

            QueueItem item = Now(queue.TryDequeueAsync())!.Value;
            Assert.Equal(expected++, item.Data.Span[0]);
            Now(queue.AcknowledgeAsync(item.Position));
        }

        Assert.Null(Now(queue.TryDequeueAsync()));
    }

    [Fact]
    public void A_full_queue_is_emptied_by_acknowledging_in_order()
    {
        byte[] medium = new byte[512 * 20];
        PersistentQueue queue = Open(medium);
        int count = 0;
        while (count < 1_000)
        {
            try
            {
                _ = Now(queue.EnqueueAsync(new[] { (byte)count }));
                count++;
            }
            catch (LogFullException)
            {
                break;
            }
        }

        Assert.InRange(count, 10, 18);
        for (int i = 0; i < count; i++)
        {
            QueueItem item = Now(queue.TryDequeueAsync())!.Value;
            Assert.Equal(i, item.Data.Span[0]);
            Now(queue.AcknowledgeAsync(item.Position));
        }

        Assert.Empty(Drain(Open(medium)));
        _ = Now(Open(medium).EnqueueAsync(new byte[] { 1 }));
        Assert.Equal([1], Drain(Open(medium)));
    }

    [Fact]
    public void Through_power_cuts_each_item_is_delivered_until_it_is_acknowledged()
    {
        for (int seed = 1; seed <= 200; seed++)
        {
            _ = Simulation.Run($"seed {seed}", () =>
            {
                var random = new Random(seed);
                var area = new SimulatedArea(new byte[512 * random.Next(24, 60)], 512, 9, random.Next(1, 4), random);
                PersistentQueue queue = area.Run(PersistentQueue.OpenOrCreateAsync(area));
                int number = 0;
                List<(int Item, Task Done)> enqueued = [];
                Dictionary<int, Task> acknowledged = [];
                for (int round = 0; round < 6; round++)
                {
                    int delivered = -1;
                    for (int step = random.Next(150); step > 0; step--)
                    {
                        switch (random.Next(4))
                        {
                            case 0 when enqueued.Count - acknowledged.Count < 6:
                                try
                                {
                                    enqueued.Add((number, queue.EnqueueAsync(BitConverter.GetBytes(number)).AsTask()));
                                    number++;
                                }
                                catch (LogFullException)
                                {
                                    // Until what was acknowledged is trimmed.
                                }

                                break;
                            case 1 when area.Run(queue.TryDequeueAsync()) is { } item:
                                int found = BitConverter.ToInt32(item.Data.Span);
                                Assert.True(found > delivered);
                                delivered = found;
                                Assert.False(acknowledged.TryGetValue(found, out Task? before) && before.IsCompletedSuccessfully, $"item {found} again");
                                acknowledged[found] = queue.AcknowledgeAsync(item.Position).AsTask();
                                break;
                            default:
                                if (area.Pending > 0)
                                {
                                    area.Step();
                                }

                                break;
                        }
                    }

                    area = area.After(area.Cut());
                    queue = area.Run(PersistentQueue.OpenOrCreateAsync(area));
                }

                HashSet<int> last = [];
                while (area.Run(queue.TryDequeueAsync()) is { } item)
                {
                    Assert.True(last.Add(BitConverter.ToInt32(item.Data.Span)));
                }

                foreach ((int item, Task done) in enqueued)
                {
                    bool isGone = acknowledged.TryGetValue(item, out Task? ack) && ack.IsCompletedSuccessfully;
                    Assert.True(!isGone || !last.Contains(item), $"item {item} was acknowledged, and is delivered again");
                    Assert.True(!done.IsCompletedSuccessfully || acknowledged.ContainsKey(item) || last.Contains(item), $"item {item} is lost");
                }

                return 0;
            });
        }
    }

    private static MemoryArea Area(byte[] medium) => new(medium, 512, BlockBufferPool.Allocate(8, 1024));

    private static PersistentQueue Open(byte[] medium) => Now(PersistentQueue.OpenOrCreateAsync(Area(medium)));

    private static List<int> Drain(PersistentQueue queue)
    {
        List<int> items = [];
        while (Now(queue.TryDequeueAsync()) is { } item)
        {
            items.Add(item.Data.Span[0]);
        }

        return items;
    }

    private static T Now<T>(ValueTask<T> task) => task.AsTask().GetAwaiter().GetResult();

    private static void Now(ValueTask task) => task.AsTask().GetAwaiter().GetResult();
}
