using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Bindings;

public sealed class StorageBindTests
{
    private const uint Owner = 1000;
    private const uint Other = 1001;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_grant_says_all_that_the_data_plane_needs()
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice { Queues = 2, Config = new() { BlockSize = FakeBlockDevice.BlockSize, SizeMax = 65536 } };
        disk.Features |= VirtioBlockFeatures.MultiQueue | VirtioBlockFeatures.SizeMax | VirtioBlockFeatures.Discard;
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("a", length: 1 << 20);
        _ = await plane.CreateAsync("log", length: 2 << 20);

        Binding binding = await plane.BindAsync(Request("log") with { Queues = 2, Buffers = 8, BufferSize = 8192 });

        StorageGrant grant = binding.Storage();
        Assert.Equal(("disk0", 0, "log", AreaAccess.ReadWrite, 4096, 512L), (grant.Device, grant.VirtualFunction, grant.Area, grant.Access, grant.BlockSize, grant.BlockCount));
        Assert.Equal([new BlockExtent(0, 512)], grant.Extents);
        Assert.Equal((StorageCapabilities.VolatileCache | StorageCapabilities.Discard, 65536), (grant.Capabilities, grant.MaxTransferLength));
        Assert.Equal(VirtioFeatures.Version1 | VirtioBlockFeatures.BlockSize | VirtioBlockFeatures.Flush | VirtioBlockFeatures.MultiQueue | VirtioBlockFeatures.SizeMax | VirtioBlockFeatures.Discard, grant.Features);
        Assert.Equal((8192, 2L * 8 * 8192, 0L), (grant.Memory.BufferSize, grant.Memory.BufferLength, grant.Memory.BufferOffset % 4096));
        Assert.Equal([(2, 3), (4, 5)], grant.Queues.Select(static queue => (queue.EventDescriptor, queue.KickDescriptor)));
        Assert.All(grant.Queues, queue => Assert.True(new BlockQueueLayout(queue.Ring, queue.CommandArea, BlockQueueLayout.MaxMaxTransferLength).FitsIn(grant.Memory.BufferOffset)));
        Assert.True(grant.Queues[0].CommandArea < grant.Queues[1].Ring.DescriptorArea);
        Assert.Equal([new BlockExtent(256, 512)], disk.Shown[0].Extents);
        Assert.False(disk.Shown[0].IsReadOnly);
        Assert.Equal([0U, 1U], disk.BackEnds[0].Enabled);
        using Native.Descriptor status = binding.Status!.OpenReadOnlyCopy();
        Assert.Equal(2 + 2 * 2, BindingBuilder.GrantDescriptors(binding, status).Length);

        BindingDescription description = binding.Describe();
        Assert.Equal(("log", AreaAccess.ReadWrite, null, null, 2), (description.Area, description.Access, description.Mac, description.Address, description.QueuePairs));

        await plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id, binding.Generation);
        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task Reading_is_shown_read_only()
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("log");
        disk.Features |= VirtioBlockFeatures.ReadOnly;
        Assert.Equal(AreaAccess.Read, (await plane.BindAsync(Request("log", AreaAccess.Read))).Storage().Access);
        Assert.True(disk.Shown[0].IsReadOnly);
    }

    [Theory]
    [InlineData(false, StorageCapabilities.WriteZeroes)]
    [InlineData(true, StorageCapabilities.WriteZeroes | StorageCapabilities.VolatileCache)] // Whatever it says of its cache.
    public async Task A_disk_without_the_flush_command_needs_no_flush(bool hasFlush, StorageCapabilities expected)
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice { Config = new() { BlockSize = FakeBlockDevice.BlockSize, Writeback = false } };
        disk.Features |= VirtioBlockFeatures.ConfigWriteback | VirtioBlockFeatures.WriteZeroes | VirtioBlockFeatures.Flush;
        disk.Features &= hasFlush ? ~VirtioFeatures.None : ~VirtioBlockFeatures.Flush;
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("log");
        Assert.Equal(expected, (await plane.BindAsync(Request("log"))).Storage().Capabilities);
    }

    [Theory]
    [InlineData(false, AreaAccess.ReadWrite, AreaAccess.ReadWrite, false)]
    [InlineData(false, AreaAccess.ReadWrite, AreaAccess.Read, false)]
    [InlineData(false, AreaAccess.Read, AreaAccess.ReadWrite, false)]
    [InlineData(false, AreaAccess.Read, AreaAccess.Read, true)]
    [InlineData(true, AreaAccess.ReadWrite, AreaAccess.ReadWrite, false)]
    [InlineData(true, AreaAccess.ReadWrite, AreaAccess.Read, true)]
    [InlineData(true, AreaAccess.Read, AreaAccess.ReadWrite, true)]
    [InlineData(true, AreaAccess.Read, AreaAccess.Read, true)]
    public async Task One_writes_at_a_time_and_others_read_where_it_is_shared(bool isShared, AreaAccess first, AreaAccess second, bool isAllowed)
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("log");
        _ = await plane.AreaService.ChangeAsync(Peers.Of(), new ChangeAreaRequest { Id = 1, Area = "log", SharedRead = isShared }, default);
        Binding binding = await plane.BindAsync(Request("log", first));

        if (isAllowed)
        {
            Assert.Equal(1, (await plane.BindAsync(Request("log", second))).Function);
        }
        else
        {
            ArrakisException refused = await Assert.ThrowsAsync<ArrakisException>(() => plane.BindAsync(Request("log", second)));
            Assert.Equal(ErrorCode.AreaInUse, refused.Code);
            Assert.Contains($"binding {binding.Id}", refused.Cause, StringComparison.Ordinal);
            await plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id, binding.Generation);
            Assert.Equal(binding.Generation + 1, (await plane.BindAsync(Request("log", second))).Generation);
        }
    }

    [Fact]
    public async Task Another_user_sees_an_area_only_when_it_is_shared_and_never_writes_it()
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("log", Owner);
        Assert.Equal(ErrorCode.UnknownArea, (await Assert.ThrowsAsync<ArrakisException>(() => plane.BindAsync(Request("log", AreaAccess.Read), Other))).Code);
        Assert.Equal(ErrorCode.UnknownArea, (await Assert.ThrowsAsync<ArrakisException>(() => plane.BindAsync(Request("none"), Other))).Code);

        // Root administers, but is not the owner.
        Assert.Equal(ErrorCode.Unauthorized, (await Assert.ThrowsAsync<ArrakisException>(() => plane.BindAsync(Request("log"), 0))).Code);

        _ = await plane.AreaService.ChangeAsync(Peers.Of(), new ChangeAreaRequest { Id = 1, Area = "log", SharedRead = true }, default);
        _ = await plane.BindAsync(Request("log"), Owner);
        Assert.Equal(Other, (await plane.BindAsync(Request("log", AreaAccess.Read), Other)).Record.UserId);
        Assert.Equal(ErrorCode.Unauthorized, (await Assert.ThrowsAsync<ArrakisException>(() => plane.BindAsync(Request("log"), Other))).Code);
    }

    [Fact]
    public async Task A_device_of_one_namespace_is_one_users()
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice(showsAreas: false);
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("a", Owner);
        _ = await plane.CreateAsync("b", Owner, 2 << 20);
        ArrakisException refused = await Assert.ThrowsAsync<ArrakisException>(() => plane.CreateAsync("c", Other));
        Assert.Equal(ErrorCode.Unauthorized, refused.Code);
        Assert.Contains("one namespace", refused.Cause, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.Unauthorized, (await Assert.ThrowsAsync<ArrakisException>(
            () => plane.AreaService.ChangeAsync(Peers.Of(), new ChangeAreaRequest { Id = 1, Area = "a", SharedRead = true }, default))).Code);
        Assert.Equal(ErrorCode.Unauthorized, (await Assert.ThrowsAsync<ArrakisException>(
            () => plane.AreaService.ChangeAsync(Peers.Of(0, 0), new ChangeAreaRequest { Id = 1, Area = "a", Owner = Other }, default))).Code);

        Binding binding = await plane.BindAsync(Request("b"));
        Assert.Equal([new BlockExtent(256, 512)], binding.Storage().Extents);
        await plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id, binding.Generation);

        // Once nothing of the first user's is left there, and nobody has it open, the next may have it.
        await plane.AreaService.DeleteAsync(Peers.Of(), new DeleteAreaRequest { Id = 1, Area = "a" }, default);
        await plane.AreaService.DeleteAsync(Peers.Of(), new DeleteAreaRequest { Id = 1, Area = "b" }, default);
        _ = disk.Quarantined.Add(0);
        Assert.Equal(ErrorCode.DeviceUnavailable, (await Assert.ThrowsAsync<ArrakisException>(() => plane.CreateAsync("c", Other))).Code);
        disk.Quarantined.Clear();
        Assert.Equal(Other, (await plane.CreateAsync("c", Other)).Owner);
        Assert.Contains(new BlockExtent(0, 768), Joined(disk.Zeroed));
    }

    [Theory]
    [InlineData("capacity")]
    [InlineData("block size")]
    [InlineData("read-only")]
    [InlineData("segments")]
    [InlineData("no configuration")]
    [InlineData("queues")]
    [InlineData("refuses")]
    public async Task A_device_that_is_not_as_it_should_be_fails_the_bind_and_leaves_nothing(string fault)
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("log");
        (disk.Config, disk.Features, disk.Fault) = fault switch
        {
            "capacity" => (disk.Config with { Capacity = 1 }, disk.Features, default),
            "block size" => (disk.Config with { BlockSize = 1000 }, disk.Features, default),
            "read-only" => (disk.Config, disk.Features | VirtioBlockFeatures.ReadOnly, default),
            "segments" => (disk.Config with { SizeMax = 512 }, disk.Features | VirtioBlockFeatures.SizeMax, default),
            "no configuration" => (disk.Config, disk.Features & ~VirtioFeatures.VhostUserProtocolFeatures, default),
            "refuses" => (disk.Config, disk.Features, new BackEndFault(VhostUserRequest.SetVringKick, BackEndFaultKind.Refuse)),
            _ => (disk.Config, disk.Features, default(BackEndFault)),
        };
        ArrakisException refused = await Assert.ThrowsAsync<ArrakisException>(() => plane.BindAsync(Request("log") with { Queues = fault == "queues" ? 2 : 1 }));
        Assert.Equal(fault == "queues" ? ErrorCode.QueuesExhausted : ErrorCode.DeviceUnavailable, refused.Code);
        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Theory]
    [InlineData(3, 1, 8, 4096)]
    [InlineData(2, 1, 8, 4096)]
    [InlineData(64, 0, 8, 4096)]
    [InlineData(64, 9, 8, 4096)]
    [InlineData(64, 1, 0, 4096)]
    [InlineData(64, 1, 8, 512)]
    [InlineData(64, 1, 8, 6000)]
    [InlineData(64, 1, 8, 2 << 20)]
    public async Task Numbers_that_make_no_sense_are_refused(int queueSize, int queues, int buffers, int bufferSize)
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        _ = await plane.CreateAsync("log");
        ArrakisException refused = await Assert.ThrowsAsync<ArrakisException>(
            () => plane.BindAsync(Request("log") with { QueueSize = queueSize, Queues = queues, Buffers = buffers, BufferSize = bufferSize }));
        Assert.Equal(ErrorCode.InvalidRequest, refused.Code);
        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task A_revocation_takes_the_area_and_says_so()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        _ = await plane.CreateAsync("log");
        Binding binding = await plane.BindAsync(Request("log"));
        using StatusReader status = Plane.ReadStatus(binding);
        long memory = binding.Storage().Memory.Length;

        await plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Invisible, default, default);

        Assert.Equal((BindingState.Revoked, false), (status.State, status.LinkUp));
        Assert.Equal(
            [(ResourceKind.VirtualFunction, 0UL, 1UL), (ResourceKind.QueuePairs, 0UL, 1UL), (ResourceKind.QueueMemory, 0UL, (ulong)memory), (ResourceKind.StorageArea, 0UL, 256UL)],
            status.Repossessed);
        await BindTests.AssertNothingIsLeftAsync(plane);
        _ = await plane.BindAsync(Request("log"));
    }

    [Fact]
    public async Task The_next_daemon_adopts_a_binding_with_its_area_and_its_session()
    {
        string state = Directory.CreateTempSubdirectory("arrakis-state-").FullName;
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice { StateDirectory = state };
        await using var store = new MemoryStore();
        ulong id;
        await using (Plane plane = await Plane.StartAsync(device, store, disk: disk))
        {
            _ = await plane.CreateAsync("log");
            id = (await plane.BindAsync(Request("log"))).Id;
            await plane.AbandonAsync();
        }

        await using (Plane next = await Plane.StartAsync(device, store, disk: disk))
        {
            Binding adopted = next.Ledger.Find(id)!;
            Assert.Equal((BindingPhase.Active, "log"), (adopted.Phase, adopted.Storage().Area));
            Assert.Equal([new BlockExtent(0, 256)], adopted.Record.Extents);
            Assert.NotNull(adopted.Session);
            Assert.Single(disk.BackEnds);
            Assert.Equal([id], next.AreaService.List(Peers.Of()).Single().Bindings);
            Assert.Equal(ErrorCode.AreaInUse, (await Assert.ThrowsAsync<ArrakisException>(() => next.BindAsync(Request("log")))).Code);
            Assert.Equal(ErrorCode.AreaInUse, (await Assert.ThrowsAsync<ArrakisException>(
                () => next.AreaService.DeleteAsync(Peers.Of(), new DeleteAreaRequest { Id = 1, Area = "log" }, default))).Code);
            await next.Bindings.RevokeAsync(id, RevocationMode.Invisible, default, default);
            await BindTests.AssertNothingIsLeftAsync(next);
        }

        Directory.Delete(state, recursive: true);
    }

    [Fact]
    public async Task A_session_that_is_lost_ends_a_binding_whose_requests_may_be_done_in_any_order()
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("log");
        Binding binding = await plane.BindAsync(Request("log"));
        using StatusReader status = Plane.ReadStatus(binding);
        disk.BackEnds[0].HangUp();
        await BindTests.Eventually(() => status.State == BindingState.Revoked);
        await BindTests.Eventually(() => plane.Ledger.All().Count == 0);
        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task A_session_that_is_lost_is_followed_by_another_where_requests_are_done_in_order()
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice();
        disk.Features |= VirtioFeatures.InOrder;
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("log");
        Binding binding = await plane.BindAsync(Request("log") with { Features = BindStorageRequest.Understood | VirtioFeatures.InOrder });
        MemoryGrant memory = binding.Storage().Memory;
        using (var queues = MemoryMapping.Map(binding.Memory!.Descriptor, 0, memory.Length, MappingAccess.ReadWrite))
        {
            queues.Store(binding.Storage().Queues[0].Ring.DeviceArea, 41u << 16);
        }

        disk.BackEnds[0].HangUp();
        await BindTests.Eventually(() => disk.BackEnds is [_, { Enabled.Count: 1 }] && binding.Status!.IsLinkUp);
        Assert.Equal(41U, disk.BackEnds[1].Bases[0]);
    }

    [Fact]
    public void A_record_of_a_daemon_that_knew_no_storage_is_read()
    {
        BindingRecord record = BindingRecord.TryDecode("""
            {"version":1,"state":"Active","grant":{"bindingId":7,"generation":2,"device":"soft0","virtualFunction":1,"mac":"02:41:52:00:00:01","address":"10.7.0.2/24","mtu":1500,
            "features":4294967296,"memory":{"length":2097152,"pageSize":4096,"iovaBase":4294967296,"bufferOffset":65536,"bufferLength":33792,"bufferSize":2112},
            "queues":[{"direction":"Receive","ring":{"format":"Split","queueSize":64,"descriptorArea":0,"driverArea":1024,"deviceArea":1280},"kickDescriptor":3,"eventDescriptor":2},
            {"direction":"Transmit","ring":{"format":"Split","queueSize":64,"descriptorArea":2048,"driverArea":3072,"deviceArea":3328},"kickDescriptor":4,"eventDescriptor":2}]},
            "filter":[],"processId":5,"userId":1000,"executable":"/bin/app","rule":"all","boundAt":"2026-01-02T03:04:05+00:00","domainId":0,"deadlineNanoseconds":0,"endState":"Revoked"}
            """u8)!;
        var grant = Assert.IsType<Grant>(record.Grant);
        Assert.Equal((7UL, 1, "soft0"), (grant.BindingId, grant.QueuePairs, grant.Device));
        Assert.Empty(record.Extents);
    }

    [Fact]
    public async Task A_record_with_the_most_extents_is_kept()
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice { Queues = ControlProtocol.MaxQueuePairs };
        disk.Features |= VirtioBlockFeatures.MultiQueue;
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        _ = await plane.CreateAsync("log");
        Binding binding = await plane.BindAsync(Request("log") with { Queues = ControlProtocol.MaxQueuePairs });

        // As of a device that does not show areas, whose grants have the device's extents too.
        BlockExtent[] extents = [.. Enumerable.Range(0, ControlPlane.Areas.Area.MaxExtents).Select(static i => new BlockExtent(1L << 40 | (long)i << 20, 1L << 19))];
        binding.Save(record => record with { Extents = extents, Grant = ((StorageGrant)record.Grant) with { Extents = extents } });
        using RecordFile file = RecordFile.Adopt(binding.RecordFile!.Descriptor.Duplicate());
        BindingRecord kept = BindingRecord.TryDecode(file.Read())!;
        Assert.Equal(extents, kept.Extents);
        Assert.Equal(extents, ((StorageGrant)kept.Grant).Extents);
        Assert.Equal(ControlProtocol.MaxDescriptors - ControlProtocol.MaxQueuePairs, 2 + binding.Events.Count + binding.Kicks.Count);
    }

    private static BindStorageRequest Request(string area, AreaAccess access = AreaAccess.ReadWrite) =>
        new() { Id = 1, Area = area, Access = access, QueueSize = 64, Buffers = 8 };

    private static List<BlockExtent> Joined(List<BlockExtent> extents)
    {
        List<BlockExtent> joined = [];
        lock (extents)
        {
            foreach (BlockExtent extent in extents)
            {
                if (joined.Count > 0 && joined[^1].Start + joined[^1].Count == extent.Start)
                {
                    joined[^1] = new BlockExtent(joined[^1].Start, joined[^1].Count + extent.Count);
                }
                else
                {
                    joined.Add(extent);
                }
            }
        }

        return joined;
    }
}
