using Arrakis.TestBed.Storage;
using Arrakis.Wire.Rings;
using static Arrakis.DataPlane.Tests.Storage.BlockFormats;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>A request allocates nothing, whoever polls.</summary>
public sealed class StorageAllocationTests
{
    private const int WarmUp = 2_000;
    private const int Requests = 50_000;

    public static TheoryData<RingFormat, bool> Formats => All;

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task Submitting_and_polling_allocates_nothing_also_beyond_the_depth(RingFormat format, bool indirect)
    {
        using var device = new MemoryBlockDevice(Options(format, indirect));
        await using StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        var requests = new BlockRequest[queue.Depth * 3 / 2];
        var results = new BlockResult[64];
        BlockBuffer buffer = Filled(queue, 1);
        for (int i = 0; i < requests.Length; i++)
        {
            requests[i] = new BlockRequest(i % 2 == 0 ? BlockOperation.Write : BlockOperation.Read, i, 1, buffer, (ulong)i, (WriteDurability)(i % 2));
        }

        long allocated = 0;
        for (int served = -WarmUp; served < Requests; served += requests.Length)
        {
            for (int left = requests.Length, submitted = 0; left > 0;)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                if (submitted++ == 0)
                {
                    queue.Submit(requests);
                }

                left -= queue.Poll(results);
                long after = GC.GetAllocatedBytesForCurrentThread();
                allocated += served >= 0 ? after - before : 0;
                _ = device.Poll();
            }
        }

        Assert.Equal(0, allocated);
    }

    [Fact]
    public async Task Awaiting_on_a_reactor_allocates_nothing()
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        using Reactor reactor = Reactor.Start(storage);
        Task<long> work = reactor.RunAsync(async () =>
        {
            BlockBuffer buffer = Filled(storage.Queues[0], 1);
            long before = 0;
            for (int i = -WarmUp; i < Requests; i++)
            {
                if (i == 0)
                {
                    before = GC.GetAllocatedBytesForCurrentThread();
                }

                await storage.Area.WriteAsync(i & 127, buffer, 4096, (WriteDurability)(i & 1));
                await storage.Area.ReadAsync(i & 127, buffer, 4096);
                if ((i & 63) == 0)
                {
                    await storage.Area.FlushAsync();
                }
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        });
        while (!work.IsCompleted)
        {
            _ = device.Poll();
        }

        Assert.Equal(0, await work);
    }
}
