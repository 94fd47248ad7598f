using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Policy;
using Arrakis.ControlPlane.Tests.Support;

namespace Arrakis.ControlPlane.Tests.Areas;

public sealed class AreaServiceTests
{
    private const uint User = 1000;
    private const uint Other = 1001;
    private const long Unit = 1 << 20;

    [Fact]
    public async Task What_is_made_is_listed_for_its_owner_and_for_administrators()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        AreaDescription made = await CreateAsync(plane, User, "log", Unit + 1);
        Assert.Equal(("log", "disk0", User, false, 2 * Unit, 4096, 1), (made.Name, made.Device, made.Owner, made.SharedRead, made.Length, made.BlockSize, made.Extents));
        Assert.Equal(["log"], Names(plane, User));
        Assert.Equal(["log"], Names(plane, 0));
        Assert.Empty(Names(plane, Other));
        Assert.Equal(ErrorCode.AreaExists, await RefusalAsync(() => CreateAsync(plane, Other, "log", Unit)));
        Assert.Equal(ErrorCode.InvalidRequest, await RefusalAsync(() => CreateAsync(plane, User, "../log", Unit)));
        Assert.Equal(ErrorCode.InvalidRequest, await RefusalAsync(() => CreateAsync(plane, User, "none", 0)));
        Assert.Equal(ErrorCode.StorageExhausted, await RefusalAsync(() => CreateAsync(plane, User, "all", 17 * Unit)));
        Assert.Equal(ErrorCode.UnknownDevice, await RefusalAsync(() => CreateAsync(plane, User, "else", Unit, "nothing")));
        Assert.Equal(ErrorCode.InvalidRequest, await RefusalAsync(() => CreateAsync(plane, User, "else", Unit, "fake0")));
    }

    [Fact]
    public async Task Only_administrators_make_areas_for_others_and_change_their_owner()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        Assert.Equal(ErrorCode.Unauthorized, await RefusalAsync(() => plane.AreaService.CreateAsync(Peers.Of(User), new CreateAreaRequest { Id = 1, Area = "log", Length = Unit, Owner = Other }, default)));
        _ = await plane.CreateAsync("log", User);
        Assert.Equal(ErrorCode.Unauthorized, await RefusalAsync(() => ChangeAsync(plane, User, new ChangeAreaRequest { Id = 1, Area = "log", Owner = Other })));
        Assert.Equal(ErrorCode.UnknownArea, await RefusalAsync(() => ChangeAsync(plane, Other, new ChangeAreaRequest { Id = 1, Area = "log", Owner = Other })));
        Assert.Equal(Other, (await ChangeAsync(plane, 0, new ChangeAreaRequest { Id = 1, Area = "log", Owner = Other })).Owner);
        Assert.Empty(Names(plane, User));
        Assert.Equal(["log"], Names(plane, Other));
    }

    [Fact]
    public async Task A_reader_may_look_and_neither_grow_nor_delete()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        _ = await plane.CreateAsync("log", User);
        Assert.True((await ChangeAsync(plane, User, new ChangeAreaRequest { Id = 1, Area = "log", SharedRead = true })).SharedRead);
        Assert.Equal(["log"], Names(plane, Other));
        Assert.Equal(ErrorCode.Unauthorized, await RefusalAsync(() => GrowAsync(plane, Other, "log", 2 * Unit)));
        Assert.Equal(ErrorCode.Unauthorized, await RefusalAsync(() => plane.AreaService.DeleteAsync(Peers.Of(Other), new DeleteAreaRequest { Id = 1, Area = "log" }, default)));
        Assert.Equal(ErrorCode.Unauthorized, await RefusalAsync(() => ChangeAsync(plane, Other, new ChangeAreaRequest { Id = 1, Area = "log", SharedRead = false })));
    }

    [Fact]
    public async Task A_bound_area_grows_and_is_shared_but_is_not_renamed_unshared_given_away_or_deleted()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        _ = await plane.CreateAsync("log", User);
        Binding binding = await plane.BindAsync(new BindStorageRequest { Id = 1, Area = "log", QueueSize = 64, Buffers = 8 });
        AreaDescription grown = await GrowAsync(plane, User, "log", 3 * Unit);
        Assert.Equal(3 * Unit, grown.Length);
        Assert.Equal([binding.Id], grown.Bindings);
        Assert.Equal(256, binding.Storage().BlockCount);
        Assert.True((await ChangeAsync(plane, User, new ChangeAreaRequest { Id = 1, Area = "log", SharedRead = true })).SharedRead);
        Assert.Equal(ErrorCode.AreaInUse, await RefusalAsync(() => ChangeAsync(plane, User, new ChangeAreaRequest { Id = 1, Area = "log", NewName = "old" })));
        Assert.Equal(ErrorCode.AreaInUse, await RefusalAsync(() => ChangeAsync(plane, User, new ChangeAreaRequest { Id = 1, Area = "log", SharedRead = false })));
        Assert.Equal(ErrorCode.AreaInUse, await RefusalAsync(() => ChangeAsync(plane, 0, new ChangeAreaRequest { Id = 1, Area = "log", Owner = Other })));
        Assert.Equal(ErrorCode.AreaInUse, await RefusalAsync(() => plane.AreaService.DeleteAsync(Peers.Of(User), new DeleteAreaRequest { Id = 1, Area = "log" }, default)));

        await plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id, binding.Generation);
        _ = await ChangeAsync(plane, User, new ChangeAreaRequest { Id = 1, Area = "log", NewName = "old" });
        Assert.Equal(768, (await plane.BindAsync(new BindStorageRequest { Id = 1, Area = "old", QueueSize = 64, Buffers = 8 })).Storage().BlockCount);
        Assert.Equal(ErrorCode.UnknownArea, await RefusalAsync(() => GrowAsync(plane, User, "log", 4 * Unit)));
    }

    [Fact]
    public async Task A_held_area_is_not_bound()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        _ = await plane.CreateAsync("log", User);
        var request = new BindStorageRequest { Id = 1, Area = "log", QueueSize = 64, Buffers = 8 };
        using (plane.Ledger.HoldArea(plane.Disk, "log"))
        {
            Assert.Equal(ErrorCode.AreaInUse, await RefusalAsync(() => plane.BindAsync(request)));
        }

        _ = await plane.BindAsync(request);
    }

    [Fact]
    public async Task A_rule_bounds_the_names_and_the_bytes_that_a_user_makes()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        using var service = new ControlPlane.Areas.AreaService(plane.Areas, plane.Ledger, Policy("""
            { "name": "r", "uid": 1000, "devices": ["disk0"], "areas": ["log-*"], "areaBytes": 3145728 },
            { "name": "reader", "uid": 1001, "devices": ["disk0"], "areas": ["*"], "areaAccess": "read" }
            """), Microsoft.Extensions.Logging.Abstractions.NullLogger<ControlPlane.Areas.AreaService>.Instance);
        Task<AreaDescription> CreateAsync(uint uid, string area, long length) => service.CreateAsync(Peers.Of(uid), new CreateAreaRequest { Id = 1, Area = area, Length = length }, default);

        Assert.Equal(ErrorCode.Unauthorized, await RefusalAsync(() => CreateAsync(User, "kv", Unit)));
        Assert.Equal(2 * Unit, (await CreateAsync(User, "log-a", 2 * Unit - 1)).Length);
        Assert.Equal(ErrorCode.StorageExhausted, await RefusalAsync(() => CreateAsync(User, "log-b", Unit + 1)));
        Assert.Equal(Unit, (await CreateAsync(User, "log-b", Unit)).Length);
        Assert.Equal(ErrorCode.StorageExhausted, await RefusalAsync(() => service.GrowAsync(Peers.Of(User), new GrowAreaRequest { Id = 1, Area = "log-b", Length = 2 * Unit }, default)));
        Assert.Equal(ErrorCode.Unauthorized, await RefusalAsync(() => service.ChangeAsync(Peers.Of(User), new ChangeAreaRequest { Id = 1, Area = "log-b", NewName = "kv" }, default)));
        await service.DeleteAsync(Peers.Of(User), new DeleteAreaRequest { Id = 1, Area = "log-b" }, default);
        Assert.Equal(3 * Unit, (await service.GrowAsync(Peers.Of(User), new GrowAreaRequest { Id = 1, Area = "log-a", Length = 3 * Unit }, default)).Length);
        Assert.Equal(ErrorCode.Unauthorized, await RefusalAsync(() => CreateAsync(Other, "log-c", Unit)));
        Assert.Equal(ErrorCode.Unauthorized, await RefusalAsync(() => CreateAsync(1002, "log-c", Unit)));
    }

    [Fact]
    public async Task Making_an_area_waits_for_blocks_that_are_being_zeroed()
    {
        await using var device = new FakeDevice();
        var gate = new TaskCompletionSource();
        await using var disk = new FakeBlockDevice { ZeroGate = gate.Task };
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        Task<AreaDescription> making = plane.CreateAsync("log", User, 16 * Unit);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(making.IsCompleted);
        gate.SetResult();
        Assert.Equal(16 * Unit, (await making).Length);

        // A deleted area's blocks are zeroed before the next gets them.
        lock (disk.Zeroed)
        {
            disk.Zeroed.Clear();
        }

        await plane.AreaService.DeleteAsync(Peers.Of(User), new DeleteAreaRequest { Id = 1, Area = "log" }, default);
        _ = await plane.CreateAsync("next", Other, 16 * Unit);
        Assert.Equal(16 * 256, disk.Zeroed.Sum(static extent => extent.Count));
    }

    [Fact]
    public async Task Blocks_that_cannot_be_zeroed_go_to_nobody()
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice { ZeroFault = new IOException("no") };
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        Assert.Equal(ErrorCode.StorageExhausted, await RefusalAsync(() => plane.CreateAsync("log", User)));
        Assert.Empty(Names(plane, 0));
    }

    [Fact]
    public async Task A_name_is_one_areas_on_all_devices_and_the_first_device_with_room_is_taken()
    {
        await using var device = new FakeDevice();
        await using var small = new FakeBlockDevice("small", blocks: 256);
        await using var large = new FakeBlockDevice("large");
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, null, small, large);
        Assert.Equal("small", (await plane.CreateAsync("a", User)).Device);
        Assert.Equal("large", (await plane.CreateAsync("b", User)).Device);
        Assert.Equal(ErrorCode.AreaExists, await RefusalAsync(() => plane.CreateAsync("a", User, device: "large")));
        Assert.Equal("large", (await plane.BindAsync(new BindStorageRequest { Id = 1, Area = "b", QueueSize = 64, Buffers = 8 })).Device.Options.Name);
    }

    [Fact]
    public async Task A_whole_disk_is_an_area_of_its_owner_alone()
    {
        await using var device = new FakeDevice();
        await using var disk = new FakeBlockDevice(functions: 1) { WholeDisks = [new WholeDisk("disk", 0, User)] };
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store, disk: disk);
        Assert.Equal(16 * Unit, Assert.Single(plane.AreaService.List(Peers.Of(User))).Length);
        Assert.Empty(Names(plane, Other));
        Assert.Equal(ErrorCode.InvalidRequest, await RefusalAsync(() => GrowAsync(plane, User, "disk", 32 * Unit)));
        Assert.Equal(ErrorCode.InvalidRequest, await RefusalAsync(() => plane.AreaService.DeleteAsync(Peers.Of(0, 0), new DeleteAreaRequest { Id = 1, Area = "disk" }, default)));
        Assert.Equal(ErrorCode.UnknownDevice, await RefusalAsync(() => plane.CreateAsync("log", User)));
        Assert.Equal(ErrorCode.InvalidRequest, await RefusalAsync(() => plane.CreateAsync("log", User, device: "disk0")));
        var request = new BindStorageRequest { Id = 1, Area = "disk", Access = AreaAccess.Read, QueueSize = 64, Buffers = 8 };
        Assert.Equal(ErrorCode.UnknownArea, await RefusalAsync(() => plane.BindAsync(request, Other)));
        Assert.Equal(4096, (await plane.BindAsync(request)).Storage().BlockCount);
        Assert.Equal(ErrorCode.AreaInUse, await RefusalAsync(() => plane.BindAsync(request)));
    }

    private static PolicyStore Policy(string rules) => new(PolicyFile.Parse(System.Text.Encoding.UTF8.GetBytes($"{{ \"rules\": [ {rules} ] }}"), "policy"));

    private static string[] Names(Plane plane, uint uid)
    {
        using PeerIdentity peer = Peers.Of(uid, uid);
        return [.. plane.AreaService.List(peer).Select(static area => area.Name)];
    }

    private static Task<AreaDescription> CreateAsync(Plane plane, uint uid, string area, long length, string? device = null) =>
        plane.AreaService.CreateAsync(Peers.Of(uid), new CreateAreaRequest { Id = 1, Area = area, Length = length, Device = device }, TestContext.Current.CancellationToken);

    private static Task<AreaDescription> GrowAsync(Plane plane, uint uid, string area, long length) =>
        plane.AreaService.GrowAsync(Peers.Of(uid), new GrowAreaRequest { Id = 1, Area = area, Length = length }, TestContext.Current.CancellationToken);

    private static Task<AreaDescription> ChangeAsync(Plane plane, uint uid, ChangeAreaRequest request) =>
        plane.AreaService.ChangeAsync(Peers.Of(uid, uid), request, TestContext.Current.CancellationToken);

    private static async Task<ErrorCode> RefusalAsync(Func<Task> act) => (await Assert.ThrowsAsync<ArrakisException>(act)).Code;
}
