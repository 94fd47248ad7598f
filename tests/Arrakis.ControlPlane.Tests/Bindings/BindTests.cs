using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Wire.Rings;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Bindings;

public sealed class BindTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(VhostUserRequest.GetFeatures, 1)]
    [InlineData(VhostUserRequest.GetFeatures, 4)]
    [InlineData(VhostUserRequest.SetOwner, 1)]
    [InlineData(VhostUserRequest.SetFeatures, 2)]
    [InlineData(VhostUserRequest.SetMemoryTable, 1)]
    [InlineData(VhostUserRequest.SetMemoryTable, 2)]
    [InlineData(VhostUserRequest.SetMemoryTable, 3)]
    [InlineData(VhostUserRequest.SetVringKick, 2)]
    [InlineData(VhostUserRequest.SetVringEnable, 1)]
    public async Task A_device_that_fails_at_any_step_leaves_nothing_bound(VhostUserRequest at, int kind)
    {
        await using var device = new FakeDevice { Fault = new BackEndFault(at, (BackEndFaultKind)kind) };
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);

        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => plane.OfferAsync());

        Assert.Equal(ErrorCode.DeviceUnavailable, fault.Code);
        await AssertNothingIsLeftAsync(plane);
        device.Fault = default;
        _ = await plane.BindAsync();
    }

    [Fact]
    public async Task A_port_or_a_socket_that_the_device_refuses_leaves_nothing_bound()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        device.ConfigureFault = new ArrakisException(ErrorCode.DeviceUnavailable, "Down.", "Wait.");
        _ = await Assert.ThrowsAsync<ArrakisException>(() => plane.OfferAsync());
        await AssertNothingIsLeftAsync(plane);
        device.ConfigureFault = null;
        device.ConnectFault = new ArrakisException(ErrorCode.DeviceUnavailable, "Down.", "Wait.");
        _ = await Assert.ThrowsAsync<ArrakisException>(() => plane.OfferAsync());
        await AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task Packed_rings_of_a_device_that_has_none_are_refused_with_what_to_do()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);

        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => plane.OfferAsync(Packed()));

        Assert.Equal(ErrorCode.InvalidRequest, fault.Code);
        Assert.Contains("does not offer packed rings", fault.Cause, StringComparison.Ordinal);
        Assert.Contains("split rings", fault.Remedy, StringComparison.Ordinal);
        await AssertNothingIsLeftAsync(plane);
        _ = await plane.BindAsync();
    }

    [Fact]
    public async Task Packed_rings_of_a_device_that_has_them_are_granted_and_start_where_a_new_ring_does()
    {
        await using var device = new FakeDevice();
        device.Features |= VirtioFeatures.RingPacked | VirtioFeatures.InOrder;
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);

        Binding binding = await plane.BindAsync(Packed());

        Assert.Equal(VirtioFeatures.Version1 | VirtioFeatures.RingPacked | VirtioFeatures.InOrder, binding.Nic().Features);
        Assert.All(binding.Nic().Queues, static queue => Assert.Equal(RingFormat.Packed, queue.Ring.Format));
        Assert.Equal(PackedFormat.WrapBit, device.BackEnds[0].Bases[0]);
        Assert.Equal(PackedFormat.WrapBit, device.BackEnds[0].Bases[1]);
    }

    [Fact]
    public async Task A_device_that_offers_packed_rings_gives_split_ones_to_who_asks_for_them()
    {
        await using var device = new FakeDevice();
        device.Features |= VirtioFeatures.RingPacked | VirtioFeatures.RingEventIndex;
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);

        Binding binding = await plane.BindAsync(Packed() with { RingFormat = RingFormat.Split });

        Assert.Equal(VirtioFeatures.Version1, binding.Nic().Features);
        Assert.All(binding.Nic().Queues, static queue => Assert.Equal(RingFormat.Split, queue.Ring.Format));
        Assert.Equal(0u, device.BackEnds[0].Bases[0]);
    }

    [Theory]
    [InlineData(63, 16)]
    [InlineData(64, 1)]
    [InlineData(64, 1 << 21)]
    public async Task Numbers_that_make_no_sense_are_refused(int queueSize, int buffers)
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => plane.OfferAsync(new BindNicRequest { Id = 1, QueueSize = queueSize, Buffers = buffers }));
        Assert.Equal(ErrorCode.InvalidRequest, fault.Code);
    }

    [Fact]
    public async Task A_filter_that_fits_no_record_is_refused_and_leaves_nothing()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        var request = new BindNicRequest { Id = 1, Buffers = 16, Filter = [.. Enumerable.Repeat(new FilterRule { LocalPort = 1 }, 1000)] };
        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => plane.OfferAsync(request));
        Assert.Equal(ErrorCode.InvalidRequest, fault.Code);
        await AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task Who_gives_up_in_the_middle_leaves_nothing_bound()
    {
        await using var device = new FakeDevice { Fault = new BackEndFault(VhostUserRequest.SetMemoryTable, BackEndFaultKind.Silence) };
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        using var cancellation = new CancellationTokenSource();
        Task<Binding> bind = plane.OfferAsync(cancellation: cancellation.Token);
        await Eventually(() => device.BackEnds is [var backEnd] && backEnd.Requests.Contains(VhostUserRequest.SetMemoryTable));
        await cancellation.CancelAsync();
        _ = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bind);
        await AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task A_connection_that_closes_while_its_binding_is_made_takes_it_down_after_the_making()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore { GatedPart = ".vhost" };
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        store.Gate = gate.Task;
        await using Plane plane = await Plane.StartAsync(device, store);
        object connection = new();
        Task<Binding> bind = plane.OfferAsync(connection: connection);
        await store.Reached.Task.WaitAsync(s_patience);

        Task close = plane.Bindings.ReleaseConnectionAsync(connection);
        Assert.False(close.IsCompleted);
        gate.SetResult();

        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => bind);
        Assert.Equal(ErrorCode.BindingRevoked, fault.Code);
        await close.WaitAsync(s_patience);
        await AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task Bindings_that_are_made_at_once_get_different_functions_and_no_more_than_there_are()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        Task<Binding>[] binds = [.. Enumerable.Range(0, 8).Select(_ => Task.Run(() => plane.BindAsync()))];
        _ = await Task.WhenAny(Task.WhenAll(binds));

        Binding[] made = [.. binds.Where(static bind => bind.IsCompletedSuccessfully).Select(static bind => bind.Result)];
        Assert.Equal([0, 1, 2, 3], made.Select(static binding => binding.Function).Order());
        Assert.All(binds.Where(static bind => bind.IsFaulted), static bind =>
            Assert.Equal(ErrorCode.NoFreeVirtualFunction, Assert.IsType<ArrakisException>(bind.Exception!.InnerException).Code));
        await Task.WhenAll(made.Select(binding => plane.Bindings.EndAsync(binding, BindingState.Released, "test")));
        await AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task A_holder_that_ends_gives_back_what_it_had()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        using var holder = new Holder();
        Binding binding = await plane.Bindings.BindAsync(holder.Peer, new BindNicRequest { Id = 1, Buffers = 16, QueueSize = 64 }, new object(), default);
        BindingService.Confirm(binding);
        holder.End();
        await Eventually(() => binding.Phase == BindingPhase.Ended);
        await AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task Only_its_holder_and_only_the_right_generation_releases_a_binding()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        Binding binding = await plane.BindAsync();
        Assert.Equal(ErrorCode.NotHolder, (await Assert.ThrowsAsync<ArrakisException>(() => plane.Bindings.ReleaseAsync(Peers.Of(7), binding.Id, binding.Generation))).Code);
        Assert.Equal(ErrorCode.UnknownBinding, (await Assert.ThrowsAsync<ArrakisException>(() => plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id, binding.Generation + 1))).Code);
        Assert.Equal(ErrorCode.UnknownBinding, (await Assert.ThrowsAsync<ArrakisException>(() => plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id + 1, 1))).Code);
        await plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id, binding.Generation);
        await AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task A_grant_can_be_given_back_before_it_is_confirmed()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        Binding binding = await plane.OfferAsync();
        await plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id, binding.Generation);
        BindingService.Confirm(binding);
        Assert.Equal(BindingPhase.Ended, binding.Phase);
        await AssertNothingIsLeftAsync(plane);
    }

    internal static async Task Eventually(Func<bool> condition)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < s_patience, "It never came.");
            await Task.Delay(2);
        }
    }

    internal static async Task AssertNothingIsLeftAsync(Plane plane)
    {
        Assert.Empty(plane.Ledger.All());
        Assert.All(plane.Ledger.Functions(plane.Device), static function => Assert.Null(function.BindingId));
        Assert.Equal([StoreNames.Ledger], plane.Store.Names);
        Assert.Empty(plane.Device.Ports);
        Assert.Empty(plane.Disk.Shown);
        await Task.WhenAll(plane.Device.BackEnds.Concat(plane.Disk.BackEnds).Select(static backEnd => backEnd.Ended)).WaitAsync(s_patience);
    }

    [Fact]
    public void A_ring_format_that_is_the_devices_to_choose_cannot_be_asked_for()
    {
        ArrakisException fault = Assert.Throws<ArrakisException>(
            () => QueueMemoryPlan.For(new BindNicRequest { Id = 1, QueueSize = 64, RingFormat = RingFormat.Igb, Features = VirtioFeatures.RingPacked }));
        Assert.Equal(ErrorCode.InvalidRequest, fault.Code);
        Assert.Contains("split or packed", fault.Remedy, StringComparison.Ordinal);
    }

    private static BindNicRequest Packed() =>
        new() { Id = 1, Buffers = 16, QueueSize = 64, RingFormat = RingFormat.Packed, Features = VirtioFeatures.Version1 | VirtioFeatures.RingPacked | VirtioFeatures.InOrder };
}
