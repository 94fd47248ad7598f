using System.Numerics;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.DataPlane.Memory;
using Arrakis.Native;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Igb;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Nic;

/// <summary>Checks that a grant is one that this data plane can run, before any of its numbers becomes an address.</summary>
internal static class GrantValidation
{
    /// <summary>Features that this data plane can run.</summary>
    public const VirtioFeatures Understood =
        VirtioFeatures.Version1
        | VirtioFeatures.VhostUserProtocolFeatures
        | VirtioFeatures.RingPacked
        | VirtioFeatures.InOrder
        | VirtioFeatures.RingEventIndex
        | VirtioFeatures.RingIndirectDescriptors
        | VirtioFeatures.NetMergeableReceiveBuffers
        | VirtioFeatures.NetChecksum
        | VirtioFeatures.NetGuestChecksum
        | VirtioFeatures.NetHostUso
        | VirtioFeatures.NetMultiQueue
        | VirtioFeatures.NetMac
        | VirtioFeatures.NetMtu
        | VirtioFeatures.NetStatus;

    /// <summary>
    /// Features that are asked for by themselves. Not what moves work to the device: a software one does it on a core, for
    /// each frame. No frame of the stack is longer than a buffer. Event indices cannot say "never" in a split ring (virtio 1.2
    /// §2.7.10), so a poller would ring the doorbell, a system call, each time that the index goes round; the flags can.
    /// </summary>
    public const VirtioFeatures Useful = Understood & ~(
        VirtioFeatures.NetMergeableReceiveBuffers
        | VirtioFeatures.NetChecksum
        | VirtioFeatures.NetGuestChecksum
        | VirtioFeatures.NetHostUso
        | VirtioFeatures.RingEventIndex);

    // Of what is said in virtio's words (an 82576 has no such features): checksums (82576 datasheet §7.1, §7.2).
    private const VirtioFeatures UnderstoodOfIgb =
        VirtioFeatures.Version1 | VirtioFeatures.NetChecksum | VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetMac;

    private const string VfioDeviceKind = "anon_inode:[vfio-device]";
    private const string VfioDeviceNodes = "/dev/vfio/devices/";

    private const int MinMtu = 68; // RFC 791 §3.2

    /// <summary>Whether a descriptor's link in /proc is that of a VFIO device, of a group's or of its own node's.</summary>
    public static bool IsVfioDevice(string? link) =>
        link == VfioDeviceKind || (link is not null && link.StartsWith(VfioDeviceNodes, StringComparison.Ordinal));

    /// <summary>Checks a grant against its descriptors.</summary>
    /// <param name="grant">The grant.</param>
    /// <param name="descriptors">What came with it.</param>
    /// <param name="isDevice">Whether a descriptor whose link in /proc is this one is a device's.</param>
    /// <exception cref="InvalidGrantException">Something does not fit.</exception>
    public static void Check(Grant grant, IReadOnlyList<Descriptor> descriptors, Predicate<string?> isDevice)
    {
        Require(grant.Memory is not null && grant.Queues is not null, "The grant has no memory or no queues.");
        Require((grant.Features & VirtioFeatures.Version1) != 0, "The grant is for a legacy virtio device.");
        Require((grant.Features & ~Understood) == 0, $"The grant has features that this data plane does not speak: {grant.Features & ~Understood}.");
        CheckPairs(grant);
        CheckMemory(grant);
        CheckQueues(grant, descriptors);
        Require(grant.Mac.IsUnicast, $"The hardware address {grant.Mac} is not that of one station.");
        Require(IsHost(grant.Address), $"The address {grant.Address} is not that of one host.");
        Require(
            grant.Gateway is not { } gateway || (gateway.IsUnicast && gateway != grant.Address.Address),
            $"The gateway {grant.Gateway} is not another host.");
        CheckSteering(grant);
        CheckSignals(grant, descriptors, isDevice);
    }

    private static void CheckMemory(Grant grant)
    {
        MemoryGrant memory = grant.Memory;
        Require(
            memory.BufferSize is > 0 and <= 65536 && memory.BufferSize % CacheLine.Size == 0,
            $"The buffer size {memory.BufferSize} is not whole cache lines up to 65536.");
        int needed = grant.Mtu + EthernetView.HeaderLength + BufferLayout.FrameOffset;
        Require(grant.Mtu is >= MinMtu and <= 65535 && needed <= memory.BufferSize, $"The MTU {grant.Mtu} does not fit buffers of {memory.BufferSize} bytes.");
        Require(
            memory.BufferOffset >= 0 && memory.BufferLength / memory.BufferSize >= grant.QueuePairs && memory.BufferLength <= memory.Length
                && memory.BufferOffset <= memory.Length - memory.BufferLength && memory.BufferOffset % CacheLine.Size == 0
                && memory.BufferLength / memory.BufferSize <= int.MaxValue / 2,
            $"The buffers at {memory.BufferOffset}, {memory.BufferLength} bytes, are not in queue memory of {memory.Length} bytes.");
    }

    private static void CheckPairs(Grant grant)
    {
        Require(
            grant.Queues.Count is >= 2 and <= 2 * ControlProtocol.MaxQueuePairs && grant.Queues.Count % 2 == 0,
            $"The grant has {grant.Queues.Count} queues, not pairs of them, {ControlProtocol.MaxQueuePairs} at most.");
        var events = new HashSet<int>();
        for (int i = 0; i < grant.Queues.Count; i += 2)
        {
            (QueueGrant receive, QueueGrant transmit) = (grant.Queues[i], grant.Queues[i + 1]);
            Require(
                receive.Direction == QueueDirection.Receive && transmit.Direction == QueueDirection.Transmit,
                "The grant's queues are not receive and transmit in turn.");
            Require(
                receive.EventDescriptor == transmit.EventDescriptor && events.Add(receive.EventDescriptor),
                $"Queue pair {i / 2} has not one event that is its own.");
        }
    }

    private static void CheckQueues(Grant grant, IReadOnlyList<Descriptor> descriptors)
    {
        var parts = new List<(long Start, long End)> { (grant.Memory.BufferOffset, grant.Memory.BufferOffset + grant.Memory.BufferLength) };
        foreach (QueueGrant queue in grant.Queues)
        {
            RingLayout ring = queue.Ring;
            bool isPacked = ring.Format == RingFormat.Packed;
            Require(ring.Format != RingFormat.Nvme, "A ring of the grant is an NVMe queue pair, which carries no packets.");
            Require(isPacked == ((grant.Features & VirtioFeatures.RingPacked) != 0), $"A {ring.Format} ring does not go with the features {grant.Features}.");
            if (ring.Format == RingFormat.Igb)
            {
                CheckIgb(grant, queue);
            }

            Require(ring.FitsIn(grant.Memory.Length), $"The ring {ring} is not in queue memory of {grant.Memory.Length} bytes, or is not aligned.");
            parts.Add((ring.DescriptorArea, ring.DescriptorArea + ring.DescriptorAreaLength));
            long driverAreaLength = isPacked ? PackedFormat.DriverNoteOffset + sizeof(ushort) : ring.DriverAreaLength;
            Require(ring.DriverArea <= grant.Memory.Length - driverAreaLength, $"The ring {ring} leaves no room for the driver's note.");
            parts.Add((ring.DriverArea, ring.DriverArea + driverAreaLength));
            parts.Add((ring.DeviceArea, ring.DeviceArea + ring.DeviceAreaLength));
            GrantSignals.CheckPlaces(queue.KickDescriptor, queue.EventDescriptor, descriptors.Count);
        }

        GrantSignals.CheckApart(parts);
    }

    private static void CheckIgb(Grant grant, QueueGrant queue)
    {
        Require((grant.Features & ~UnderstoodOfIgb) == 0, $"An 82576 does not have {grant.Features & ~UnderstoodOfIgb}.");
        Require(queue.Doorbell is { Width: sizeof(uint) }, "An 82576 ring has no tail register of 4 bytes.");
        Require(
            grant.Memory.BufferSize >= BufferLayout.FrameOffset + IgbReceiveDescriptor.BufferLength,
            $"An 82576 writes {IgbReceiveDescriptor.BufferLength} bytes, more than a buffer of {grant.Memory.BufferSize} has room for.");
        Require(
            grant.Mtu + EthernetView.HeaderLength <= IgbReceiveDescriptor.BufferLength,
            $"The MTU {grant.Mtu} does not fit the {IgbReceiveDescriptor.BufferLength} bytes that an 82576 writes into a buffer.");
    }

    // A /31 and a /32 have no network and no broadcast address (RFC 3021).
    private static bool IsHost(Ipv4Prefix prefix) =>
        prefix.Address.IsUnicast
        && (prefix.PrefixLength >= 31 || (prefix.Address != prefix.Network && prefix.Address != prefix.DirectedBroadcast));

    // A client chooses ports by it.
    private static void CheckSteering(Grant grant)
    {
        if (grant.Steering is not { } steering)
        {
            return;
        }

        Require(
            steering.Table is { Count: > 0 and <= FlowSteering.MaxTableLength } table && BitOperations.IsPow2(table.Count)
                && table.All(pair => pair >= 0 && pair < grant.QueuePairs),
            "The steering table is not a power of two of entries that are queue pairs.");
        Require(
            steering.ToeplitzKey is { Length: >= 2 * FlowSteering.MinKeyLength and <= 2 * FlowSteering.MaxKeyLength } key && key.Length % 2 == 0
                && key.All(char.IsAsciiHexDigit),
            "The steering key is not 16 to 64 bytes in hexadecimal digits.");
    }

    private static void CheckSignals(Grant grant, IReadOnlyList<Descriptor> descriptors, Predicate<string?> isDevice)
    {
        var signals = new GrantSignals(descriptors, isDevice);
        foreach (QueueGrant queue in grant.Queues)
        {
            GrantSignals.CheckRegister(queue.Doorbell);
            GrantSignals.CheckRegister(queue.EventArm);
            Require(queue.EventArm is null || queue.Doorbell is not null, "A register for events has no doorbell register beside it.");
            signals.CheckKind(queue.EventDescriptor, isRegister: false);
            signals.CheckKind(queue.KickDescriptor, isRegister: queue.Doorbell is not null);
        }
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new InvalidGrantException(message);
        }
    }
}
