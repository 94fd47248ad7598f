using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Native.Memory;

namespace Arrakis.ControlPlane.Tests.Bindings;

public sealed class LinkAndRecoveryTests
{
    [Fact]
    public async Task A_device_that_hangs_up_is_connected_again_where_the_rings_are()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        Binding binding = await plane.BindAsync();
        using StatusReader status = Plane.ReadStatus(binding);
        MemoryGrant memory = binding.Record.Grant.Memory;
        using (MemoryMapping queues = MemoryMapping.Map(binding.Memory!.Descriptor, 0, memory.Length, MappingAccess.ReadWrite))
        {
            queues.Store(binding.Nic().Queues[0].Ring.DeviceArea, 41u << 16);
            queues.Store(binding.Nic().Queues[1].Ring.DeviceArea, 42u << 16);
        }

        device.BackEnds[0].HangUp();

        await BindTests.Eventually(() => device.BackEnds.Count == 2 && status is { LinkUp: true, LinkEpoch: 1 });
        Assert.Equal((41U, 42U), (device.BackEnds[1].Bases[0], device.BackEnds[1].Bases[1]));
        Assert.Equal(BindingState.Active, status.State);
        Assert.Contains(StoreNames.OfBinding(binding.Id, "vhost"), store.Names);
    }

    [Fact]
    public async Task A_holder_that_truncated_its_memory_has_no_link_any_more_and_can_be_ended()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        Binding binding = await plane.BindAsync();
        using StatusReader status = Plane.ReadStatus(binding);
        binding.Memory!.Truncate(0);
        device.BackEnds[0].HangUp();
        await BindTests.Eventually(() => binding.LinkWatch.IsCompleted);
        Assert.False(status.LinkUp);
        await plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Invisible, default, default);
        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task An_active_binding_is_adopted_with_its_session_and_taken_back_by_the_next_daemon()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        (ulong id, StatusReader status) = await LeaveAsync(device, store, confirm: true);
        using (status)
        {
            await using Plane next = await Plane.StartAsync(device, store);
            Binding adopted = next.Ledger.Find(id)!;
            Assert.Equal((BindingPhase.Active, true, 1), (adopted.Phase, status.LinkUp, device.BackEnds.Count));
            Assert.Equal(1, (await next.BindAsync()).Function);
            await next.Bindings.RevokeAsync(id, RevocationMode.Invisible, default, default);
            Assert.Equal(BindingState.Revoked, status.State);
            Assert.Single(next.Ledger.All());
        }
    }

    [Fact]
    public async Task A_binding_whose_grant_was_not_confirmed_is_undone()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        (_, StatusReader status) = await LeaveAsync(device, store, confirm: false);
        using (status)
        {
            await using Plane next = await Plane.StartAsync(device, store);
            Assert.Equal(BindingState.Revoked, status.State);
            await BindTests.AssertNothingIsLeftAsync(next);
        }
    }

    [Fact]
    public async Task A_binding_that_was_being_taken_down_is_taken_down()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        (_, StatusReader status) = await LeaveAsync(device, store, confirm: true, static record => record with { State = RecordState.Ending, EndState = BindingState.Aborted });
        using (status)
        {
            await using Plane next = await Plane.StartAsync(device, store);
            Assert.Equal(BindingState.Aborted, status.State);
            await BindTests.AssertNothingIsLeftAsync(next);
        }
    }

    [Fact]
    public async Task A_deadline_that_passed_while_no_daemon_was_there_ends_the_binding()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        (ulong id, StatusReader status) = await LeaveAsync(device, store, confirm: true, static record => record with { State = RecordState.RevocationRequested, DeadlineNanoseconds = 1 });
        using (status)
        {
            await using Plane next = await Plane.StartAsync(device, store);
            await BindTests.Eventually(() => next.Ledger.Find(id) is null);
            Assert.Equal(BindingState.Aborted, status.State);
        }
    }

    [Theory]
    [InlineData("record")]
    [InlineData("memory")]
    [InlineData("status")]
    [InlineData("event")]
    [InlineData("kick0")]
    [InlineData("kick1")]
    [InlineData("holder")]
    public async Task A_binding_of_which_a_part_is_missing_is_undone_and_its_holder_told(string part)
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        (ulong id, StatusReader status) = await LeaveAsync(device, store, confirm: true);
        using (status)
        {
            await store.RemoveAsync([StoreNames.OfBinding(id, part)]);
            await using Plane next = await Plane.StartAsync(device, store);
            Assert.Equal(part == "status" ? BindingState.Active : BindingState.Revoked, status.State);
            await BindTests.AssertNothingIsLeftAsync(next);
        }
    }

    [Fact]
    public async Task A_record_that_makes_no_sense_undoes_its_binding()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        (ulong id, StatusReader status) = await LeaveAsync(device, store, confirm: true);
        using (status)
        {
            using RecordFile other = RecordFile.Create("arrakis-test");
            other.Write("{ \"version\": 99 }"u8);
            await store.PutAsync([new NamedDescriptor(StoreNames.OfBinding(id, "record"), other.Descriptor)]);
            await using Plane next = await Plane.StartAsync(device, store);
            await BindTests.AssertNothingIsLeftAsync(next);
        }
    }

    [Fact]
    public async Task A_session_that_was_not_kept_is_made_again()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        (ulong id, StatusReader status) = await LeaveAsync(device, store, confirm: true);
        using (status)
        {
            await store.RemoveAsync([StoreNames.OfBinding(id, "vhost")]);
            await using Plane next = await Plane.StartAsync(device, store);
            await BindTests.Eventually(() => status is { LinkUp: true, LinkEpoch: 1 });
            Assert.Equal(2, device.BackEnds.Count);
            Assert.Equal(BindingPhase.Active, next.Ledger.Find(id)!.Phase);
        }
    }

    [Fact]
    public async Task A_binding_whose_holder_has_ended_meanwhile_is_free()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        using var holder = new Holder();
        await using (Plane plane = await Plane.StartAsync(device, store))
        {
            BindingService.Confirm(await plane.Bindings.BindAsync(holder.Peer, new BindNicRequest { Id = 1, Buffers = 16, QueueSize = 64 }, new object(), default));
            await plane.AbandonAsync();
        }

        holder.End();
        await using Plane next = await Plane.StartAsync(device, store);
        await BindTests.AssertNothingIsLeftAsync(next);
    }

    [Fact]
    public async Task A_binding_of_a_function_that_is_not_there_any_more_is_undone()
    {
        await using var device = new FakeDevice();
        await using var store = new MemoryStore();
        (_, StatusReader status) = await LeaveAsync(device, store, confirm: true);
        using (status)
        {
            await using var other = new FakeDevice("other0");
            await using Plane next = await Plane.StartAsync(other, store);
            Assert.Equal(BindingState.Revoked, status.State);
            await BindTests.AssertNothingIsLeftAsync(next);
        }
    }

    [Fact]
    public void A_record_that_was_written_in_part_leaves_the_one_before()
    {
        using RecordFile record = RecordFile.Create("arrakis-test");
        record.Write("first"u8);
        record.Write("second"u8);
        var file = new MemoryFile(record.Descriptor.Duplicate(), 64 * 1024, MemoryFile.BasePageSize);
        using (file)
        {
            _ = file.Write("torn"u8, 16); // The second is in the slot of even numbers, at the start.
        }

        using RecordFile adopted = RecordFile.Adopt(record.Descriptor.Duplicate());
        Assert.Equal("first"u8.ToArray(), adopted.Read());
        adopted.Write("third"u8);
        using RecordFile again = RecordFile.Adopt(record.Descriptor.Duplicate());
        Assert.Equal("third"u8.ToArray(), again.Read());
    }

    /// <summary>What a daemon leaves that is killed with one binding.</summary>
    private static async Task<(ulong Id, StatusReader Status)> LeaveAsync(FakeDevice device, MemoryStore store, bool confirm, Func<BindingRecord, BindingRecord>? change = null)
    {
        await using Plane plane = await Plane.StartAsync(device, store);
        Binding binding = confirm ? await plane.BindAsync() : await plane.OfferAsync();
        if (change is not null)
        {
            binding.Save(change);
        }

        StatusReader status = Plane.ReadStatus(binding);
        await plane.AbandonAsync();
        return (binding.Id, status);
    }
}
