using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Keeper;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Processes;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>Makes what a binding consists of; nothing outside of the daemon is touched yet.</summary>
internal sealed class BindingBuilder(TimeProvider time, ILogger<BindingBuilder> logger)
{
    // Of each queue: its event, and the doorbells of its rings.
    private const int DescriptorsPerPair = 3;
    private const int DescriptorsPerBlockQueue = 2;

    /// <summary>Builds a binding of a NIC's function.</summary>
    /// <exception cref="ArrakisException">No memory, or no descriptor left.</exception>
    internal Binding Build(NicReservation reservation, PeerIdentity peer, BindNicRequest request, object? connection)
    {
        QueueMemoryPlan plan = reservation.Plan;
        MemoryFile memory = AllocateMemory(reservation.BindingId, plan.Length);
        var grant = new Grant
        {
            BindingId = reservation.BindingId,
            Generation = reservation.Generation,
            Device = reservation.Device.Options.Name,
            VirtualFunction = reservation.Function,
            Mac = reservation.Mac,
            Address = reservation.Address,
            Gateway = reservation.Device.Options.Gateway,
            Mtu = reservation.Device.Options.Mtu,
            Features = Wanted(request),
            Memory = Describe(memory, plan, QueueMemoryPlan.BufferSize),
            Queues = [.. plan.Rings.Select(GrantQueue)],
            Steering = request.QueuePairs == 1 ? null : reservation.Device.SteeringOf(request.QueuePairs),
            Rate = reservation.Rate,
        };
        return Build(reservation, peer, grant, request.Filter, [], memory, connection);
    }

    /// <summary>Builds a binding of a storage area.</summary>
    /// <exception cref="ArrakisException">No memory, or no descriptor left.</exception>
    internal Binding Build(AreaReservation reservation, PeerIdentity peer, BindStorageRequest request, object? connection)
    {
        QueueMemoryPlan plan = reservation.Plan;
        LocatedArea area = reservation.Area;
        MemoryFile memory = AllocateMemory(reservation.BindingId, plan.Length);
        var grant = new StorageGrant
        {
            BindingId = reservation.BindingId,
            Generation = reservation.Generation,
            Device = area.Device.Options.Name,
            VirtualFunction = reservation.Function,
            Area = area.Name,
            Access = reservation.Access,
            BlockSize = area.Geometry.BlockSize,
            BlockCount = area.BlockCount,
            Extents = area.Device.ShowsAreas ? [new BlockExtent(0, area.BlockCount)] : area.Extents,
            Capabilities = area.Geometry.Capabilities,
            MaxTransferLength = area.Geometry.MaxTransferLength,
            Features = area.Device.OwnRingFormat is null ? Wanted(request) : VirtioFeatures.None,
            NamespaceId = area.Geometry.NamespaceId,
            Memory = Describe(memory, plan, request.BufferSize),
            Queues = [.. plan.Rings.Select((ring, index) => GrantBlockQueue(ring, plan.CommandAreas[index], index))],
        };
        return Build(reservation, peer, grant, [], area.Extents, memory, connection);
    }

    private Binding Build(
        Reservation reservation, PeerIdentity peer, BindingGrant grant, IReadOnlyList<FilterRule> filter, IReadOnlyList<BlockExtent> extents, MemoryFile memory, object? connection)
    {
        var record = new BindingRecord
        {
            Version = BindingRecord.CurrentVersion,
            State = RecordState.Allocating,
            Grant = grant,
            Filter = filter,
            Extents = extents,
            ProcessId = peer.ProcessId,
            UserId = peer.UserId,
            Executable = peer.Executable,
            Rule = reservation.Rule.Name,
            BoundAt = time.GetUtcNow(),
            EndState = BindingState.Revoked,
        };
        var binding = new Binding(reservation.On, record, reservation.Plan.ChargedLength) { Memory = memory, Connection = connection };
        try
        {
            memory.AddSeals(MemorySeals.Grow | MemorySeals.Seal);
            binding.Status = StatusPage.Create(grant.BindingId, grant.Generation);
            binding.AddQueues(static _ => new EventFd());
            binding.Holder = new ProcessDescriptor(peer.Process.Descriptor.Duplicate());
            binding.RecordFile = RecordFile.Create($"arrakis-record-{grant.BindingId}");
            binding.RecordFile.Write(record.Encode());
            return binding;
        }
        catch (Exception e)
        {
            binding.Close();
            throw e is LinuxException linux ? OutOf(linux) : e;
        }
    }

    // The ring's format and their number were chosen with the memory's layout; the rest is what the device has of it.
    private static VirtioFeatures Wanted(BindNicRequest request)
    {
        VirtioFeatures wanted = VirtioFeatures.Version1 | (request.Features & ~(VirtioFeatures.RingPacked | VirtioFeatures.NetMultiQueue));
        return wanted
            | (request.RingFormat == RingFormat.Packed ? VirtioFeatures.RingPacked : VirtioFeatures.None)
            | (request.QueuePairs > 1 ? VirtioFeatures.NetMultiQueue : VirtioFeatures.None);
    }

    // MultiQueue is the only one of a block device's features that follows from the request.
    private static VirtioFeatures Wanted(BindStorageRequest request) =>
        VirtioFeatures.Version1
        | (request.Features & ~(VirtioFeatures.RingPacked | VirtioBlockFeatures.MultiQueue))
        | (request.Queues > 1 ? VirtioBlockFeatures.MultiQueue : VirtioFeatures.None);

    private static MemoryGrant Describe(MemoryFile memory, QueueMemoryPlan plan, int bufferSize) =>
        new(memory.Length, memory.PageSize, QueueMemoryPlan.IovaBase, plan.BufferOffset, plan.BufferLength, bufferSize);

    private static BlockQueueGrant GrantBlockQueue(RingLayout ring, long commandArea, int index)
    {
        int queueEvent = BindingGrant.EventDescriptor + index * DescriptorsPerBlockQueue;
        return new BlockQueueGrant(ring, commandArea, queueEvent + 1, queueEvent);
    }

    private static QueueGrant GrantQueue(RingLayout ring, int index)
    {
        int pairEvent = Grant.EventDescriptor + index / 2 * DescriptorsPerPair;
        return new QueueGrant(index % 2 == 0 ? QueueDirection.Receive : QueueDirection.Transmit, ring, pairEvent + 1 + index % 2, pairEvent);
    }

    /// <summary>The descriptors of a grant, in its order; the receiver of the list owns the read-only status page, at its place.</summary>
    internal static Descriptor[] GrantDescriptors(Binding binding, Descriptor readOnlyStatus)
    {
        int rings = binding.Record.Grant.RingsPerQueue();
        IEnumerable<Descriptor> bells = binding.Session?.Registers is { } registers
            ? [.. binding.Events.Select(static queueEvent => queueEvent.Descriptor), registers]
            : binding.Events.SelectMany((queueEvent, queue) =>
                (IEnumerable<Descriptor>)[queueEvent.Descriptor, .. binding.Kicks.Skip(queue * rings).Take(rings).Select(static kick => kick.Descriptor)]);
        return [binding.Memory!.Descriptor, readOnlyStatus, .. bells];
    }

    private MemoryFile AllocateMemory(ulong bindingId, long length)
    {
        MemoryFile memory;
        try
        {
            memory = MemoryFile.Create($"arrakis-queues-{bindingId}", length, PagePreference.PreferHuge);
        }
        catch (LinuxException e)
        {
            throw OutOf(e);
        }

        if (memory.PageSize != MemoryFile.HugePageSize)
        {
            logger.LogWarning(
                "Binding {Binding} has base pages: {Free} hugepages are free, {Needed} are needed. Reserve more in /proc/sys/vm/nr_hugepages.",
                bindingId, HugePages.Free, (length + MemoryFile.HugePageSize - 1) / MemoryFile.HugePageSize);
        }

        return memory;
    }

    private static ArrakisException OutOf(LinuxException e) =>
        new(ErrorCode.MemoryExhausted, $"The machine has no memory or descriptors left for the binding: {e.Message}.", "Ask for fewer buffers, or release a binding.", e);
}
