using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Native;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Bindings;

/// <summary>Bindings of several queue pairs: laid out, negotiated, started, kept, adopted, stopped.</summary>
public sealed class QueuePairTests
{
    private const int Pairs = 4;

    [Theory]
    [InlineData(RingFormat.Split, 1)]
    [InlineData(RingFormat.Split, 8)]
    [InlineData(RingFormat.Packed, 3)]
    public void Rings_and_buffers_of_all_pairs_lie_apart_in_one_memory_and_are_charged(RingFormat format, int pairs)
    {
        var plan = QueueMemoryPlan.For(new BindNicRequest { Id = 1, QueuePairs = pairs, Buffers = 1000, RingFormat = format, Features = VirtioFeatures.RingPacked });

        Assert.Equal(2 * pairs, plan.Rings.Count);
        Assert.Equal(1000L * pairs * QueueMemoryPlan.BufferSize, plan.BufferLength);
        Assert.All(plan.Rings, ring => Assert.True(ring.FitsIn(plan.BufferOffset)));
        Assert.All(plan.Rings.Zip(plan.Rings.Skip(1)), static pair => Assert.True(pair.First.End <= pair.Second.DescriptorArea));
        Assert.Equal(QueueMemoryPlan.Charge(plan.BufferOffset + plan.BufferLength), plan.ChargedLength);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(ControlProtocol.MaxQueuePairs + 1)]
    public void Numbers_of_pairs_that_make_no_sense_are_refused(int pairs)
    {
        ArrakisException fault = Assert.Throws<ArrakisException>(() => QueueMemoryPlan.For(new BindNicRequest { Id = 1, QueuePairs = pairs }));
        Assert.Equal(ErrorCode.InvalidRequest, fault.Code);
        Assert.Contains("1 to 8", fault.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_pair_has_rings_at_the_device_and_an_event_and_doorbells_of_its_own()
    {
        await using FakeDevice device = WithPairs(8);
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);

        Binding binding = await plane.BindAsync(Request());

        Grant grant = binding.Nic();
        Assert.Equal(VirtioFeatures.Version1 | VirtioFeatures.NetMultiQueue, grant.Features);
        Assert.Equal([2, 2, 5, 5, 8, 8, 11, 11], grant.Queues.Select(static queue => queue.EventDescriptor));
        Assert.Equal([3, 4, 6, 7, 9, 10, 12, 13], grant.Queues.Select(static queue => queue.KickDescriptor));
        Assert.Equal(Pairs, grant.Steering!.Table.Max() + 1);
        using (Descriptor page = binding.Status!.OpenReadOnlyCopy())
        {
            Descriptor[] descriptors = BindingBuilder.GrantDescriptors(binding, page);
            Assert.Equal(2 + 3 * Pairs, descriptors.Distinct().Count());
            Assert.Same(binding.Events[3].Descriptor, descriptors[grant.Queues[6].EventDescriptor]);
            Assert.Same(binding.Kicks[7].Descriptor, descriptors[grant.Queues[7].KickDescriptor]);
        }

        FakeBackEnd backEnd = device.BackEnds[0];
        Assert.Equal(VhostUserProtocolFeatures.ReplyAck | VhostUserProtocolFeatures.MultiQueue, backEnd.Chosen);
        Assert.Equal(Enumerable.Range(0, 2 * Pairs).Select(static i => (uint)i), backEnd.Enabled);
        Assert.Equal(2 * Pairs, backEnd.Requests.Count(static request => request == VhostUserRequest.SetVringCall));
        Assert.Contains(StoreNames.OfBinding(binding.Id, "event3"), store.Names);
        Assert.Contains(StoreNames.OfBinding(binding.Id, "kick7"), store.Names);
        Assert.Equal(Pairs, binding.Describe().QueuePairs);
    }

    [Fact]
    public async Task One_pair_is_negotiated_as_if_there_were_no_others()
    {
        await using FakeDevice device = WithPairs(8);
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);

        Binding binding = await plane.BindAsync(Request() with { QueuePairs = 1, Features = VirtioFeatures.NetMultiQueue });

        Assert.Equal((VirtioFeatures.Version1, null), (binding.Nic().Features, binding.Nic().Steering));
        Assert.Equal(VhostUserProtocolFeatures.ReplyAck, device.BackEnds[0].Chosen);
        Assert.DoesNotContain(VhostUserRequest.GetQueueCount, device.BackEnds[0].Requests);
        Assert.Equal([0u, 1u], device.BackEnds[0].Enabled);
    }

    [Theory]
    [InlineData(2UL, true, "2 queue pairs at most, not 4")]
    [InlineData(0UL, true, "0 queue pairs at most, not 4")]
    [InlineData(null, true, "1 queue pair at most, not 4")]
    [InlineData(8UL, false, "1 queue pair at most, not 4")]
    public async Task More_pairs_than_the_back_end_has_are_refused_with_how_many_it_has(ulong? has, bool multiQueue, string cause)
    {
        await using FakeDevice device = WithPairs(has);
        device.Features = multiQueue ? device.Features : device.Features & ~VirtioFeatures.NetMultiQueue;
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);

        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => plane.OfferAsync(Request()));

        Assert.Equal(ErrorCode.QueuesExhausted, fault.Code);
        Assert.Contains(cause, fault.Cause, StringComparison.Ordinal);
        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task A_device_can_be_configured_to_give_fewer_pairs()
    {
        await using FakeDevice device = WithPairs(8);
        device.Options.QueuePairsMax = 3;
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);

        ArrakisException fault = await Assert.ThrowsAsync<ArrakisException>(() => plane.OfferAsync(Request()));

        Assert.Equal((ErrorCode.QueuesExhausted, "Ask for up to 3."), (fault.Code, fault.Remedy));
        await BindTests.AssertNothingIsLeftAsync(plane);
        _ = await plane.BindAsync(Request() with { QueuePairs = 3 });
    }

    [Fact]
    public async Task A_revocation_stops_all_rings_and_its_vector_counts_the_pairs()
    {
        await using FakeDevice device = WithPairs(8);
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        Binding binding = await plane.BindAsync(Request());
        using StatusReader status = Plane.ReadStatus(binding);

        await plane.Bindings.RevokeAsync(binding.Id, RevocationMode.Invisible, default, default);

        Assert.Equal(Enumerable.Range(0, 2 * Pairs).Select(static i => (uint)i), device.BackEnds[0].Stopped);
        Assert.Contains((ResourceKind.QueuePairs, 0UL, (ulong)Pairs), status.Repossessed);
        await BindTests.AssertNothingIsLeftAsync(plane);
    }

    [Fact]
    public async Task The_next_daemon_adopts_all_pairs_and_connects_them_again_where_each_ring_is()
    {
        await using FakeDevice device = WithPairs(8);
        await using var store = new MemoryStore();
        ulong id;
        await using (Plane plane = await Plane.StartAsync(device, store))
        {
            Binding left = await plane.BindAsync(Request());
            id = left.Id;
            using MemoryMapping queues = MemoryMapping.Map(left.Memory!.Descriptor, 0, left.Record.Grant.Memory.Length, MappingAccess.ReadWrite);
            for (int i = 0; i < 2 * Pairs; i++)
            {
                queues.Store(left.Nic().Queues[i].Ring.DeviceArea, (uint)(40 + i) << 16);
            }

            await plane.AbandonAsync();
        }

        await using Plane next = await Plane.StartAsync(device, store);
        Binding adopted = next.Ledger.Find(id)!;
        Assert.Equal((BindingPhase.Active, Pairs, 2 * Pairs), (adopted.Phase, adopted.Events.Count, adopted.Kicks.Count));
        using StatusReader status = Plane.ReadStatus(adopted);
        device.BackEnds[0].HangUp();

        await BindTests.Eventually(() => device.BackEnds.Count == 2 && status is { LinkUp: true, LinkEpoch: 1 });
        Assert.Equal(Enumerable.Range(40, 2 * Pairs).Select(static at => (uint)at), device.BackEnds[1].Bases.OrderBy(static ring => ring.Key).Select(static ring => ring.Value));
        await next.Bindings.RevokeAsync(id, RevocationMode.Invisible, default, default);
        await BindTests.AssertNothingIsLeftAsync(next);
    }

    [Theory]
    [InlineData("event")]
    [InlineData("event2")]
    [InlineData("kick7")]
    public async Task A_binding_of_which_a_pair_lacks_something_is_undone(string part)
    {
        await using FakeDevice device = WithPairs(8);
        await using var store = new MemoryStore();
        await using (Plane plane = await Plane.StartAsync(device, store))
        {
            Binding binding = await plane.BindAsync(Request());
            await plane.AbandonAsync();
            await store.RemoveAsync([StoreNames.OfBinding(binding.Id, part)]);
        }

        await using Plane next = await Plane.StartAsync(device, store);
        await BindTests.AssertNothingIsLeftAsync(next);
    }

    [Fact]
    public async Task A_record_from_before_there_were_pairs_is_adopted()
    {
        await using FakeDevice device = WithPairs(8);
        await using var store = new MemoryStore();
        ulong id;
        await using (Plane plane = await Plane.StartAsync(device, store))
        {
            Binding binding = await plane.BindAsync(Request() with { QueuePairs = 1 });
            id = binding.Id;
            string text = System.Text.Encoding.UTF8.GetString(binding.Record.Encode());
            string older = text.Replace(",\"eventDescriptor\":2", "", StringComparison.Ordinal);
            Assert.NotEqual(text, older);
            binding.RecordFile!.Write(System.Text.Encoding.UTF8.GetBytes(older));
            await plane.AbandonAsync();
        }

        await using Plane next = await Plane.StartAsync(device, store);
        Assert.Equal((BindingPhase.Active, 1), (next.Ledger.Find(id)!.Phase, next.Ledger.Find(id)!.Nic().QueuePairs));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(18)]
    public async Task A_record_whose_rings_are_no_pairs_undoes_its_binding(int rings)
    {
        await using FakeDevice device = WithPairs(8);
        await using var store = new MemoryStore();
        await using (Plane plane = await Plane.StartAsync(device, store))
        {
            Binding binding = await plane.BindAsync(Request());
            IReadOnlyList<QueueGrant> queues = [.. Enumerable.Repeat(binding.Nic().Queues[0], rings)];
            binding.Save(record => record with { Grant = ((Grant)record.Grant) with { Queues = queues } });
            await plane.AbandonAsync();
        }

        await using Plane next = await Plane.StartAsync(device, store);
        await BindTests.AssertNothingIsLeftAsync(next);
    }

    [Fact]
    public async Task A_record_with_the_most_pairs_and_the_longest_filter_is_kept()
    {
        await using FakeDevice device = WithPairs(8);
        await using var store = new MemoryStore();
        await using Plane plane = await Plane.StartAsync(device, store);
        var rule = new FilterRule { Direction = FilterDirection.Receive, Protocol = FilterProtocol.Udp, LocalPort = 60000, RemotePort = 60000, Remote = Wire.Ipv4Prefix.Parse("100.100.100.100/32", null) };
        Binding binding = await plane.BindAsync(Request() with { QueuePairs = ControlProtocol.MaxQueuePairs, Filter = [.. Enumerable.Repeat(rule, 64)] });
        Assert.Equal(ControlProtocol.MaxDescriptors, 2 + binding.Events.Count + binding.Kicks.Count);
    }

    private static FakeDevice WithPairs(ulong? pairs)
    {
        var device = new FakeDevice { QueuePairs = pairs };
        device.Features |= VirtioFeatures.NetMultiQueue;
        return device;
    }

    private static BindNicRequest Request() => new() { Id = 1, QueuePairs = Pairs, Buffers = 16, QueueSize = 64 };
}
