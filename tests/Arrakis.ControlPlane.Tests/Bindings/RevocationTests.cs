using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Hosting;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Native;
using Arrakis.Native.Memory;
using Microsoft.Extensions.Time.Testing;
using Tmds.Linux;

namespace Arrakis.ControlPlane.Tests.Bindings;

public sealed class RevocationTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_deadline = TimeSpan.FromHours(1);

    [Fact]
    public async Task An_invisible_revocation_takes_all_and_says_what()
    {
        await using var device = new FakeDevice(rate: 1_000_000);
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        Binding binding = await plane.BindAsync(new BindNicRequest { Id = 1, Buffers = 16, QueueSize = 64, Rate = new RateSpecifier(1000, 4096) });
        using StatusReader status = Plane.ReadStatus(binding);
        using Descriptor memory = binding.Memory!.Descriptor.Duplicate();
        Grant grant = binding.Nic();
        Assert.Equal((BindingState.Active, true), (status.State, status.LinkUp));

        await plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Invisible, default, default);

        Assert.Equal((BindingState.Revoked, false), (status.State, status.LinkUp));
        Assert.Equal(
            [
                (ResourceKind.VirtualFunction, 0UL, 1UL),
                (ResourceKind.QueuePairs, 0UL, 1UL),
                (ResourceKind.QueueMemory, 0UL, (ulong)grant.Memory.Length),
                (ResourceKind.MacAddress, grant.Mac.Value, 1UL),
                (ResourceKind.Ipv4Address, grant.Address.Address.Value, 24UL),
                (ResourceKind.Rate, 1000UL, 4096UL),
            ],
            status.Repossessed);
        Assert.Equal(0, MemoryFile.GetLength(memory));
        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task A_holder_that_is_asked_and_gives_back_in_time_has_released()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        var time = new FakeTimeProvider();
        await using Plane plane = await Plane.StartAsync(device, store, time);
        Binding binding = await plane.BindAsync();
        using StatusReader status = Plane.ReadStatus(binding);
        Task revoke = plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Visible, s_deadline, default);
        Assert.Equal((BindingState.RevocationRequested, 1U), (status.State, status.RequestedUnits));
        Assert.Equal(time.GetNanoseconds() + (long)s_deadline.TotalNanoseconds, status.Deadline);

        await plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id, binding.Generation);

        await revoke.WaitAsync(s_patience);
        Assert.Equal(BindingState.Released, status.State);
        Assert.Empty(status.Repossessed);
    }

    [Fact]
    public async Task A_holder_that_is_silent_past_the_deadline_is_aborted_and_told_what_was_taken()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        var time = new FakeTimeProvider();
        await using Plane plane = await Plane.StartAsync(device, store, time);
        Binding binding = await plane.BindAsync();
        using StatusReader status = Plane.ReadStatus(binding);
        Task revoke = plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Visible, s_deadline, default);
        time.Advance(s_deadline - TimeSpan.FromSeconds(1));
        Assert.Equal(BindingState.RevocationRequested, status.State);

        time.Advance(TimeSpan.FromSeconds(1));

        await revoke.WaitAsync(s_patience);
        Assert.Equal(BindingState.Aborted, status.State);
        Assert.Contains(status.Repossessed, static entry => entry.Kind == ResourceKind.VirtualFunction);
        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task An_administrator_who_no_longer_waits_does_not_stop_the_deadline()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        var time = new FakeTimeProvider();
        await using Plane plane = await Plane.StartAsync(device, store, time);
        Binding binding = await plane.BindAsync();
        using var gone = new CancellationTokenSource();
        Task revoke = plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Visible, s_deadline, gone.Token);
        await gone.CancelAsync();
        _ = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => revoke);
        time.Advance(s_deadline);
        await BindTests.Eventually(() => binding.Phase == BindingPhase.Ended);
    }

    [Fact]
    public async Task A_daemon_that_stops_and_leaves_its_bindings_aborts_none_that_is_asked_back()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        var time = new FakeTimeProvider();
        StatusReader status;
        ulong id;
        await using (Plane plane = await Plane.StartAsync(device, store, time))
        {
            Binding binding = await plane.BindAsync();
            id = binding.Id;
            status = Plane.ReadStatus(binding);
            Task revoke = plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Visible, s_deadline, default);
            await plane.AbandonAsync();
            await revoke.WaitAsync(s_patience);
            Assert.Equal(BindingState.RevocationRequested, status.State);
        }

        using (status)
        {
            await using Plane next = await Plane.StartAsync(device, store, time);
            Assert.Equal(BindingPhase.RevocationRequested, next.Ledger.Find(id)!.Phase);
            time.Advance(s_deadline);
            await BindTests.Eventually(() => status.State == BindingState.Aborted);
            await BindTests.Eventually(() => next.Ledger.Find(id) is null);
        }
    }

    [Fact]
    public async Task A_holder_that_makes_its_event_block_does_not_stop_its_revocation()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        Binding binding = await plane.BindAsync();
        _ = binding.Events[0].TryDrain();
        FillAndBlock(binding.Events[0].Descriptor);

        await plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Visible, TimeSpan.FromMilliseconds(1), default).WaitAsync(s_patience);

        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task However_often_and_by_whomever_it_is_ended_a_binding_ends_once()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        for (int i = 0; i < 20; i++)
        {
            Binding binding = await plane.OfferAsync();
            using StatusReader status = Plane.ReadStatus(binding);
            Task[] all =
            [
                Task.Run(() => BindingService.Confirm(binding)),
                Task.Run(() => plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Invisible, default, default)),
                Task.Run(() => plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Visible, TimeSpan.FromMilliseconds(1), default)),
                Task.Run(() => plane.Bindings.ReleaseAsync(Peers.Of(), binding.Id, binding.Generation)),
            ];
            _ = await Task.WhenAny(Task.WhenAll(all));
            Assert.All(all.Where(static task => task.IsFaulted), static task =>
                Assert.Equal(ErrorCode.UnknownBinding, Assert.IsType<ArrakisException>(task.Exception!.InnerException).Code));
            Assert.True(status.State is BindingState.Revoked or BindingState.Aborted or BindingState.Released, $"{status.State}");
            await BindTests.AssertNothingIsLeftAsync(plane);
        }
    }

    private static unsafe void FillAndBlock(Descriptor descriptor)
    {
        ulong most = ulong.MaxValue - 1;
        Assert.Equal(sizeof(ulong), (int)LibC.write(descriptor.Number, &most, sizeof(ulong)));
        Assert.Equal(0, LibC.fcntl(descriptor.Number, LibC.F_SETFL, LibC.O_RDWR));
    }
}
