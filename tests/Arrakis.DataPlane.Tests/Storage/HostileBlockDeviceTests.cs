using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.TestBed.Storage;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;
using CsCheck;
using Tmds.Linux;
using static Arrakis.DataPlane.Tests.Storage.BlockFormats;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>A device that breaks the rules: a typed error, and nothing touched outside of the queue's memory.</summary>
public sealed class HostileBlockDeviceTests
{
    public static TheoryData<RingFormat, bool> Formats => All;

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task An_id_that_is_not_with_the_device_ends_the_binding(RingFormat format, bool indirect)
    {
        foreach (int id in new[] { 1, 7, 63, 64, 1000, 65535 })
        {
            await AssertBroken(Options(format, indirect), (device, request) => device.CompleteWrongly((ushort)id, request.Descriptors, 1), format == RingFormat.Split && id > 63 ? "64 descriptors" : "used id");
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task A_double_completion_ends_the_binding(RingFormat format, bool indirect) =>
        await AssertBroken(
            Options(format, indirect),
            (device, request) =>
            {
                device.Complete(request, VirtioBlockStatus.Ok);
                device.Complete(request, VirtioBlockStatus.Ok);
            },
            "used i",
            requests: 2);

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task A_length_of_more_than_the_device_may_write_ends_the_binding(RingFormat format, bool indirect)
    {
        foreach (uint length in new[] { 2u, 4097u, 65535u, uint.MaxValue })
        {
            await AssertBroken(Options(format, indirect), (device, request) => device.CompleteWrongly(request.Id, request.Descriptors, length), "used length");
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task A_read_of_fewer_bytes_is_none_and_no_status_is_no_success(RingFormat format, bool indirect)
    {
        foreach (uint length in new[] { 0u, 1u, 4096u })
        {
            using var device = new MemoryBlockDevice(Options(format, indirect));
            await using StorageBinding storage = device.Bind();
            BlockBuffer buffer = Filled(storage.Queues[0], 1);
            ValueTask read = storage.Area.ReadAsync(0, buffer, 4096);
            _ = storage.Queues[0].Poll();
            Assert.True(device.TryTake(out DeviceBlockRequest request));
            device.CompleteWrongly(request.Id, request.Descriptors, length);
            device.Publish();
            _ = storage.Queues[0].Poll();
            Assert.Equal(BlockStatus.DeviceFault, (await Assert.ThrowsAsync<BlockRequestException>(() => read.AsTask())).Status);
            Run(device, storage.Queues[0], storage.Area.ReadAsync(0, buffer, 4096));
        }
    }

    // Ring and command area between pages that nobody can access, and a device that writes anything anywhere.
    [Fact]
    public void Rubbish_in_queue_memory_gives_typed_errors_and_no_access_outside() =>
        Gen.Int.Sample(static seed => RunRubbish(new Random(seed)), iter: 1500, seed: Seeds.Fixed, threads: 1);

    private static unsafe void RunRubbish(Random random)
    {
        const int Page = MemoryFile.BasePageSize;
        var format = random.Next(2) == 0 ? RingFormat.Split : RingFormat.Packed;
        VirtioFeatures features = VirtioFeatures.Version1 | (random.Next(2) == 0 ? VirtioFeatures.RingIndirectDescriptors : 0);
        var layout = BlockQueueLayout.At(format, Page, 1 << random.Next(2, 5), 4096);
        long end = (layout.End + PackedFormat.DriverNoteOffset + Page - 1) / Page * Page;
        using var file = MemoryFile.Create("test block ring", end + Page, PagePreference.BaseOnly);
        using var kick = new EventFd();
        using var region = DmaRegion.Map(new MemoryGrant(file.Length, Page, MemoryBlockDevice.IovaBase, 0, 0, 4096), file.Descriptor);
        Assert.Equal(0, LibC.mprotect(region.At(0, Page), Page, LibC.PROT_NONE));
        Assert.Equal(0, LibC.mprotect(region.At(end, Page), Page, LibC.PROT_NONE));
        BlockRing ring = format == RingFormat.Split
            ? new VirtioBlockRing<SplitVirtqueue>(region, layout, 512, features, new Doorbell(kick))
            : new VirtioBlockRing<PackedVirtqueue>(region, layout, 512, features, new Doorbell(kick));
        var tags = new Stack<ushort>(Enumerable.Range(0, ring.Depth).Select(static tag => (ushort)tag));
        var given = new HashSet<ushort>();
        var completions = new BlockCompletion[64];
        try
        {
            for (int step = 0; step < 300; step++)
            {
                if (tags.Count != 0 && random.Next(2) == 0)
                {
                    ushort tag = tags.Pop();
                    var operation = (BlockOperation)random.Next(5);
                    bool hasData = operation is BlockOperation.Read or BlockOperation.Write;
                    Assert.Equal(1, ring.Submit([new BlockCommand(tag, operation, false, (ulong)random.Next(100), hasData ? 8u : 0, Page, hasData ? 4096 : 0)]));
                    ring.Publish();
                    Assert.True(given.Add(tag));
                }

                long at = random.Next(3) switch
                {
                    0 => layout.Ring.DeviceArea + random.NextInt64(layout.Ring.DeviceAreaLength),
                    1 => layout.Ring.DescriptorArea + random.NextInt64(layout.Ring.DescriptorAreaLength),
                    _ => layout.CommandArea + random.NextInt64(layout.CommandAreaLength),
                };
                int length = (int)Math.Min(random.Next(1, 5), end - at);
                var place = new Span<byte>(region.At(at, length), length);
                if (random.Next(2) == 0)
                {
                    random.NextBytes(place);
                }
                else
                {
                    place.Fill((byte)random.Next(4));
                }

                int count = ring.TakeCompleted(completions);
                for (int i = 0; i < count; i++)
                {
                    Assert.True(given.Remove(completions[i].Tag), "a command is completed that is not with the device");
                    tags.Push(completions[i].Tag);
                }
            }
        }
        catch (RingCorruptException e)
        {
            Assert.Null(e.Ring);
            Assert.NotEmpty(e.Reason);
        }
    }

    private static async Task AssertBroken(MemoryBlockOptions options, Action<MemoryBlockDevice, DeviceBlockRequest> act, string reason, int requests = 1)
    {
        using var device = new MemoryBlockDevice(options);
        await using StorageBinding storage = device.Bind();
        using var otherDevice = new MemoryBlockDevice(options);
        await using StorageBinding other = otherDevice.Bind();
        BlockQueue queue = storage.Queues[0];
        var writes = new ValueTask[requests];
        for (int i = 0; i < requests; i++)
        {
            writes[i] = storage.Area.WriteAsync(i, Filled(queue, 1), 4096, WriteDurability.Durable);
        }

        _ = queue.Poll();
        Assert.True(device.TryTake(out DeviceBlockRequest request));
        act(device, request);
        device.Publish();
        RingCorruptException error = Assert.Throws<RingCorruptException>(() =>
        {
            _ = queue.Poll();
            _ = queue.Poll();
        });
        Assert.Null(error.Ring);
        Assert.Contains(reason, error.Reason, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.RingCorrupt, error.Code);
        Assert.Same(error, await Assert.ThrowsAsync<RingCorruptException>(() => writes[^1].AsTask()));
        Assert.Same(error, Assert.Throws<RingCorruptException>(() => queue.Poll()));
        Assert.Same(error, await Assert.ThrowsAsync<RingCorruptException>(() => storage.Area.FlushAsync().AsTask()));
        Run(otherDevice, other.Queues[0], other.Area.WriteAsync(0, Filled(other.Queues[0], 1), 4096, WriteDurability.Durable));
    }
}
