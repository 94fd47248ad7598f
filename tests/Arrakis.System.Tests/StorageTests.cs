using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;
using Arrakis.TestBed.Storage;
using Arrakis.Wire.Virtio;

namespace Arrakis.SystemTests;

/// <summary>Storage areas of daemon, software device and library together.</summary>
public sealed class StorageTests
{
    private const uint Ann = 1000;
    private const uint Ben = 1001;
    private const int BlockSize = 4096;
    private const int BlocksPerArea = 256;
    private const long AreaLength = BlocksPerArea * BlockSize;
    private const string Memory = "/dev/shm";
    private const string Policy = """
        { "rules": [
            { "name": "root", "uid": 0, "devices": ["*"], "areas": ["*"], "virtualFunctions": 64, "memoryBytes": 4294967296, "administrator": true },
            { "name": "users", "anyone": true, "devices": ["*"], "areas": ["*"], "areaBytes": 4194304, "virtualFunctions": 8, "memoryBytes": 268435456 }
        ] }
        """;

    [Theory]
    [InlineData(Memory)]
    [InlineData(null)]
    public async Task Two_users_write_all_of_their_areas_and_neither_finds_the_others(string? folder)
    {
        using var file = new BlockFile(folder ?? Path.GetTempPath(), 4 * AreaLength);
        await using DaemonProcess daemon = await StartAsync(file);
        await using ArrakisClient ann = await ConnectAsync(daemon, Ann);
        await using ArrakisClient ben = await ConnectAsync(daemon, Ben);
        Assert.Equal(AreaLength, (await ann.CreateAreaAsync("a", AreaLength, cancellationToken: Cancellation)).Length);
        _ = await ben.CreateAreaAsync("b", AreaLength, cancellationToken: Cancellation);
        Assert.Equal(["a"], (await ann.ListAreasAsync(Cancellation)).Select(static area => area.Name));
        Assert.Equal(ErrorCode.UnknownArea, (await Assert.ThrowsAsync<ArrakisException>(async () => await ann.BindStorageAsync(new StorageRequest { Area = "b" }, Cancellation))).Code);

        await using StorageBinding a = await ann.BindStorageAsync(new StorageRequest { Area = "a" }, Cancellation);
        await using StorageBinding b = await ben.BindStorageAsync(new StorageRequest { Area = "b" }, Cancellation);
        Assert.Equal(ErrorCode.AreaInUse, (await Assert.ThrowsAsync<ArrakisException>(async () => await ann.BindStorageAsync(new StorageRequest { Area = "a" }, Cancellation))).Code);
        Assert.All(ReadAll(a), static found => Assert.Equal(0, found)); // Not what the file had before.
        WriteAll(a, 1);
        WriteAll(b, 2);
        Assert.All(ReadAll(a), static found => Assert.Equal(1, found));
        Assert.All(ReadAll(b), static found => Assert.Equal(2, found));
        Assert.Equal((AreaLength, AreaLength), (file.Count(1), file.Count(2)));
        Assert.Equal(["a", "b"], (await (await daemon.ConnectAsync(Cancellation)).ListBindingsAsync(Cancellation)).Select(static binding => binding.Area));
    }

    [Fact]
    public async Task Blocks_outside_of_the_area_are_refused_by_the_device_when_the_library_is_gone_around()
    {
        using var file = new BlockFile(Memory, 4 * AreaLength);
        await using DaemonProcess daemon = await StartAsync(file);
        await using ArrakisClient ann = await ConnectAsync(daemon, Ann);
        await using ArrakisClient ben = await ConnectAsync(daemon, Ben);
        _ = await ann.CreateAreaAsync("a", AreaLength, cancellationToken: Cancellation);
        _ = await ben.CreateAreaAsync("b", AreaLength, cancellationToken: Cancellation);
        _ = await ann.ChangeAreaAsync("a", sharedRead: true, cancellationToken: Cancellation);
        const ulong SectorsPerArea = AreaLength / VirtioBlockRequest.SectorSize;
        using (RawBlockQueue raw = RawBlockQueue.Bind(daemon, Ben, new BindStorageRequest { Id = 1, Area = "b", Features = VirtioFeatures.Version1 | VirtioBlockFeatures.BlockSize }))
        {
            raw.Fill(0x07070707);
            Assert.Equal(VirtioBlockStatus.Ok, await raw.RunAsync(VirtioBlockType.Write, 0));
            foreach (ulong sector in new[] { SectorsPerArea, SectorsPerArea - 1, 2 * SectorsPerArea, ulong.MaxValue - 7, ulong.MaxValue / VirtioBlockRequest.SectorSize, 1UL << 63 })
            {
                Assert.Equal(VirtioBlockStatus.Error, await raw.RunAsync(VirtioBlockType.Write, sector));
                Assert.Equal(VirtioBlockStatus.Error, await raw.RunAsync(VirtioBlockType.Read, sector));
            }

            BlockCounters counters = await CountersAsync(daemon, "b");
            Assert.Equal((1L, (long)BlockSize, 0L, 0L), (counters.Writes, counters.BytesWritten, counters.Reads, counters.Errors));
            Assert.Equal(new Dictionary<string, long> { ["outside-area"] = 12 }, counters.Refusals);
        }

        Assert.Equal(BlockSize, file.Count(7));

        // Nor does a reader write.
        using RawBlockQueue reader = RawBlockQueue.Bind(daemon, Ben, new BindStorageRequest { Id = 1, Area = "a", Access = AreaAccess.Read, Features = VirtioFeatures.Version1 | VirtioBlockFeatures.BlockSize });
        reader.Fill(0x07070707);
        Assert.NotEqual(VirtioBlockStatus.Ok, await reader.RunAsync(VirtioBlockType.Write, 0));
        Assert.Equal(VirtioBlockStatus.Ok, await reader.RunAsync(VirtioBlockType.Read, 0));
        BlockCounters read = await CountersAsync(daemon, "a");
        Assert.Equal((0L, 1L, (long)BlockSize), (read.Writes, read.Reads, read.BytesRead));
        Assert.Equal(new Dictionary<string, long> { ["read-only"] = 1 }, read.Refusals);
        Assert.Equal(0U, reader.First);
        Assert.Equal(BlockSize, file.Count(7));
    }

    [Fact]
    public async Task What_was_acknowledged_before_a_revocation_under_load_is_there_after_it()
    {
        using var file = new BlockFile(Path.GetTempPath(), 4 * AreaLength);
        await using DaemonProcess daemon = await StartAsync(file);
        await using ArrakisClient root = await daemon.ConnectAsync(Cancellation);
        await using ArrakisClient ann = await ConnectAsync(daemon, Ann);
        _ = await ann.CreateAreaAsync("a", AreaLength, cancellationToken: Cancellation);
        byte[] acknowledged = new byte[BlocksPerArea];
        for (int round = 1; round <= 5; round++)
        {
            StorageBinding binding = await ann.BindStorageAsync(new StorageRequest { Area = "a", QueueSize = 64, Buffers = 16 }, Cancellation);
            await using (binding)
            {
                int first = round;
                var started = new TaskCompletionSource();
                Task<BindingRevokedException> load = Task.Run(() => Assert.Throws<BindingRevokedException>(() => WriteUntilItEnds(binding, first, acknowledged, started)));
                await started.Task.WaitAsync(DaemonProcess.Patience, Cancellation);
                await root.RevokeAsync(binding.Grant.BindingId, RevocationMode.Invisible, cancellationToken: Cancellation);
                BindingRevokedException revoked = await load.WaitAsync(DaemonProcess.Patience, Cancellation);
                Assert.Contains(revoked.Repossessed, static entry => entry is { Kind: ResourceKind.StorageArea, Count: BlocksPerArea });
            }

            await using StorageBinding again = await ann.BindStorageAsync(new StorageRequest { Area = "a" }, Cancellation);
            byte[] found = ReadAll(again);
            for (int block = 0; block < BlocksPerArea; block++)
            {
                // A write that was under way may have been done.
                Assert.True(found[block] == acknowledged[block] || found[block] == (byte)round, $"Block {block} is {found[block]}, and {acknowledged[block]} was acknowledged.");
                acknowledged[block] = found[block];
            }
        }
    }

    [Fact]
    public async Task A_daemon_that_is_killed_under_load_is_not_noticed_and_the_next_has_the_area_bound()
    {
        using var file = new BlockFile(Memory, 4 * AreaLength);
        await using DaemonProcess daemon = await StartAsync(file);
        await using ArrakisClient client = await daemon.ConnectAsync(Cancellation);
        _ = await client.CreateAreaAsync("a", AreaLength, cancellationToken: Cancellation);
        await using StorageBinding binding = await client.BindStorageAsync(new StorageRequest { Area = "a" }, Cancellation);
        for (byte round = 1; round <= 3; round++)
        {
            WriteAll(binding, round);
            await daemon.KillAsync();
            WriteAll(binding, (byte)(0x10 + round));
            await daemon.StartAgainAsync(Cancellation);
            Assert.All(ReadAll(binding), found => Assert.Equal(0x10 + round, found));
            AreaDescription area = Assert.Single(await client.ListAreasAsync(Cancellation));
            Assert.Equal([binding.Grant.BindingId], area.Bindings);
            Assert.Equal(ErrorCode.AreaInUse, (await Assert.ThrowsAsync<ArrakisException>(async () => await client.DeleteAreaAsync("a", Cancellation))).Code);
        }

        await binding.DisposeAsync();
        await client.DeleteAreaAsync("a", Cancellation);
        _ = await client.CreateAreaAsync("b", 4 * AreaLength, cancellationToken: Cancellation); // Waits for zeroing.
        Assert.Equal(4 * AreaLength, file.Count(0));
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static Task<DaemonProcess> StartAsync(BlockFile file) =>
        DaemonProcess.StartAsync(new DaemonSetup { BlockFile = file.Path, Policy = Policy }, TestContext.Current.CancellationToken);

    private static Task<ArrakisClient> ConnectAsync(DaemonProcess daemon, uint uid) =>
        OtherUser.Run(uid, () => daemon.ConnectAsync(TestContext.Current.CancellationToken).AsTask());

    // Of the function that an area is bound to.
    private static async Task<BlockCounters> CountersAsync(DaemonProcess daemon, string area)
    {
        await using ArrakisClient client = await daemon.ConnectAsync(Cancellation);
        ulong id = Assert.Single(await client.ListBindingsAsync(Cancellation), binding => binding.Area == area).BindingId;
        return (await client.ListDevicesAsync(Cancellation)).SelectMany(static device => device.VirtualFunctions).Single(function => function.BindingId == id).BlockCounters!;
    }

    private static void WriteAll(StorageBinding binding, byte value)
    {
        for (int block = 0; block < BlocksPerArea; block++)
        {
            Write(binding, block, value);
        }
    }

    private static byte[] ReadAll(StorageBinding binding)
    {
        byte[] found = new byte[BlocksPerArea];
        for (int block = 0; block < BlocksPerArea; block++)
        {
            Assert.True(binding.Area.Buffers.TryRent(out BlockBuffer buffer));
            Run(binding, BlockOperation.Read, block, buffer);
            found[block] = buffer.Span[0];
            Assert.Equal(-1, buffer.Span[..BlockSize].IndexOfAnyExcept(found[block])); // A block is whole.
            binding.Area.Buffers.Return(buffer);
        }

        return found;
    }

    private static void WriteUntilItEnds(StorageBinding binding, int value, byte[] acknowledged, TaskCompletionSource started)
    {
        for (int i = 0; ; i++)
        {
            int block = i % BlocksPerArea;
            Write(binding, block, (byte)value);
            acknowledged[block] = (byte)value;
            if (i == BlocksPerArea / 2)
            {
                started.SetResult();
            }
        }
    }

    private static void Write(StorageBinding binding, int block, byte value)
    {
        Assert.True(binding.Area.Buffers.TryRent(out BlockBuffer buffer));
        buffer.Span.Fill(value);
        Run(binding, BlockOperation.Write, block, buffer);
        binding.Area.Buffers.Return(buffer);
    }

    private static void Run(StorageBinding binding, BlockOperation operation, int block, BlockBuffer buffer) =>
        Assert.Equal(BlockStatus.Success, binding.Queues[0].Complete(new BlockRequest(operation, block, 1, buffer, 1, WriteDurability.Durable)));
}
