using Arrakis.Native.Threads;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>
/// Writes durably to a storage area, and reads it again, on a thread that may make no system call from a point on: any kills the
/// process. All of it is gone through once without the filter, so that the code and its call stubs are there.
/// </summary>
internal static class FilteredStorage
{
    private const int WarmUp = 100_000;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(2);

    // So short that the search for overdue requests has been gone through before the filter, too.
    private static readonly TimeSpan s_timeout = TimeSpan.FromMilliseconds(400);

    private static int s_thread;
    private static long s_allocatedBefore;
    private static long s_allocatedAfter;
    private static long s_wrong;
    private static bool s_isEnded;

    public static async Task PlayAsync(FilteredStorageOrder order)
    {
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket);
        await using StorageBinding storage = await client.BindStorageAsync(new StorageRequest { Area = order.Area, Timeout = s_timeout });
        if (order.Api == StorageApi.Batch)
        {
            _ = Talk.Start("storage", () => Poll(storage, order));
        }
        else
        {
            _ = Reactor.Start(storage, order.Core, IdlePolicy.Spin).RunAsync(() => AwaitAsync(storage, order));
        }

        while (!Volatile.Read(ref s_isEnded))
        {
            Thread.Sleep(s_pause);
        }

        Talk.Say(new FilteredReport(s_thread));
        Talk.Say(new ProofReport(s_wrong == 0 ? order.Requests : -s_wrong, s_allocatedBefore, s_allocatedAfter));
        _ = Talk.NextCommand();
        Environment.Exit(0); // The polling thread cannot be waited for.
    }

    private static void Poll(StorageBinding storage, FilteredStorageOrder order)
    {
        PinnedThread.Pin(order.Core);
        _ = storage.Area.Buffers.TryRent(out BlockBuffer buffer);
        var requests = new BlockRequest[1];
        var results = new BlockResult[1];
        for (long i = -WarmUp; i < order.Requests; i++)
        {
            Begin(i);
            Fill(buffer, i);
            long block = Math.Abs(i) % storage.Area.BlockCount;
            Do(new BlockRequest(BlockOperation.Write, block, 1, buffer, 1, WriteDurability.Durable));
            buffer.Span.Clear();
            Do(new BlockRequest(BlockOperation.Read, block, 1, buffer, 2));
            Check(buffer, i);
        }

        End(park: true);

        void Do(BlockRequest request)
        {
            requests[0] = request;
            storage.Queues[0].Submit(requests);
            while (storage.Queues[0].Poll(results) == 0)
            {
                // The device is at work.
            }

            s_wrong += results[0].Status == BlockStatus.Success && results[0].Token == request.Token ? 0 : 1;
        }
    }

    private static async Task AwaitAsync(StorageBinding storage, FilteredStorageOrder order)
    {
        _ = storage.Area.Buffers.TryRent(out BlockBuffer buffer);
        for (long i = -WarmUp; i < order.Requests; i++)
        {
            Begin(i);
            Fill(buffer, i);
            long block = Math.Abs(i) % storage.Area.BlockCount;
            await storage.Area.WriteAsync(block, buffer, storage.Area.BlockSize, WriteDurability.Durable);
            buffer.Span.Clear();
            await storage.Area.ReadAsync(block, buffer, storage.Area.BlockSize);
            Check(buffer, i);
        }

        End(park: true);
    }

    private static void Begin(long i)
    {
        if (i is -WarmUp or 0)
        {
            s_thread = PinnedThread.CurrentId;
            if (i == 0)
            {
                End(park: false); // Once before.
                SeccompFilter.KillOnSystemCall();
            }

            s_allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        }
    }

    private static void Fill(BlockBuffer buffer, long i) => buffer.Span.Fill((byte)(i * 7));

    private static void Check(BlockBuffer buffer, long i) => s_wrong += buffer.Span.IndexOfAnyExcept((byte)(i * 7)) < 0 ? 0 : 1;

    // The thread can never return from the filter.
    private static void End(bool park)
    {
        s_allocatedAfter = GC.GetAllocatedBytesForCurrentThread();
        Volatile.Write(ref s_isEnded, park);
        do
        {
            Thread.SpinWait(100);
        }
        while (park);
    }
}
