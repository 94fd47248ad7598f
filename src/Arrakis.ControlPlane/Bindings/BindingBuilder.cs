using Arrakis.Contract;
using Arrakis.Contract.Control;
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
    // Of each queue pair: its event, and the doorbells of its two rings.
    private const int DescriptorsPerPair = 3;

    /// <summary>Builds a binding of a reservation.</summary>
    /// <exception cref="ArrakisException">No memory, or no descriptor left.</exception>
    internal Binding Build(Reservation reservation, PeerIdentity peer, BindNicRequest request, QueueMemoryPlan plan, object? connection)
    {
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
            Memory = new MemoryGrant(memory.Length, memory.PageSize, QueueMemoryPlan.IovaBase, plan.BufferOffset, plan.BufferLength, QueueMemoryPlan.BufferSize),
            Queues = [.. plan.Rings.Select(GrantQueue)],
            Steering = request.QueuePairs == 1 ? null : reservation.Device.SteeringOf(request.QueuePairs),
            Rate = reservation.Rate,
        };
        var record = new BindingRecord
        {
            Version = BindingRecord.CurrentVersion,
            State = RecordState.Allocating,
            Grant = grant,
            Filter = request.Filter,
            ProcessId = peer.ProcessId,
            UserId = peer.UserId,
            Executable = peer.Executable,
            Rule = reservation.Rule.Name,
            BoundAt = time.GetUtcNow(),
            EndState = BindingState.Revoked,
        };
        var binding = new Binding(reservation.Device, record, plan.ChargedLength) { Memory = memory, Connection = connection };
        try
        {
            memory.AddSeals(MemorySeals.Grow | MemorySeals.Seal);
            binding.Status = StatusPage.Create(grant.BindingId, grant.Generation);
            binding.AddQueues(request.QueuePairs, static _ => new EventFd());
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

    private static QueueGrant GrantQueue(RingLayout ring, int index)
    {
        int pairEvent = Grant.EventDescriptor + index / 2 * DescriptorsPerPair;
        return new QueueGrant(index % 2 == 0 ? QueueDirection.Receive : QueueDirection.Transmit, ring, pairEvent + 1 + index % 2, pairEvent);
    }

    /// <summary>The descriptors of a grant, in its order; the receiver of the list owns the read-only status page, at its place.</summary>
    internal static Descriptor[] GrantDescriptors(Binding binding, Descriptor readOnlyStatus)
    {
        IEnumerable<Descriptor> bells = binding.Session?.Registers is { } registers
            ? [.. binding.Events.Select(static pairEvent => pairEvent.Descriptor), registers]
            : binding.Events.SelectMany((pairEvent, pair) => new[] { pairEvent.Descriptor, binding.Kicks[2 * pair].Descriptor, binding.Kicks[2 * pair + 1].Descriptor });
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
