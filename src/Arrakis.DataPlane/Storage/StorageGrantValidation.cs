using System.Numerics;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.DataPlane.Rings;
using Arrakis.Native;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Storage;

/// <summary>Checks that a storage grant is one that this data plane can run, before any of its numbers becomes an address.</summary>
internal static class StorageGrantValidation
{
    /// <summary>
    /// Features of a virtio device that this data plane can run. Not VIRTIO_F_IN_ORDER: a disk that answers in order makes each
    /// request wait for those before it.
    /// </summary>
    public const VirtioFeatures Understood =
        BindStorageRequest.Understood
        | VirtioFeatures.VhostUserProtocolFeatures
        | VirtioFeatures.RingPacked
        | VirtioFeatures.RingEventIndex
        | VirtioBlockFeatures.Topology
        | VirtioBlockFeatures.MultiQueue;

    private const int MinBlockSize = 512;
    private const int MaxBlockSize = 65536;
    private const int PageSize = 4096;
    private const int MaxExtents = 1 << 20;
    private const long MaxBlocks = long.MaxValue / MaxBlockSize; // No byte of a device is beyond what a signed number says.

    private const StorageCapabilities KnownCapabilities =
        StorageCapabilities.VolatileCache | StorageCapabilities.ForceUnitAccess | StorageCapabilities.Discard | StorageCapabilities.WriteZeroes;

    /// <summary>Checks a grant against its descriptors.</summary>
    /// <param name="grant">The grant.</param>
    /// <param name="descriptors">What came with it.</param>
    /// <param name="isDevice">Whether a descriptor whose link in /proc is this one is a device's.</param>
    /// <exception cref="InvalidGrantException">Something does not fit.</exception>
    public static void Check(StorageGrant grant, IReadOnlyList<Descriptor> descriptors, Predicate<string?> isDevice)
    {
        Require(grant.Memory is not null && grant.Queues is not null && grant.Extents is not null, "The grant has no memory, no queues or no extents.");
        Require(grant.Area is { Length: > 0 }, "The grant names no area.");
        Require(grant.Access is AreaAccess.Read or AreaAccess.ReadWrite, $"There is no access of the kind {grant.Access}.");
        Require((grant.Capabilities & ~KnownCapabilities) == 0, $"The grant has capabilities that this data plane does not know: {grant.Capabilities & ~KnownCapabilities}.");
        CheckBlocks(grant);
        CheckMemory(grant);
        CheckQueues(grant, descriptors);
        CheckSignals(grant, descriptors, isDevice);
    }

    private static void CheckBlocks(StorageGrant grant)
    {
        Require(
            grant.BlockSize is >= MinBlockSize and <= MaxBlockSize && BitOperations.IsPow2(grant.BlockSize),
            $"The block size {grant.BlockSize} is not a power of two from {MinBlockSize} to {MaxBlockSize}.");
        Require(
            grant.MaxTransferLength >= grant.BlockSize && grant.MaxTransferLength <= BlockQueueLayout.MaxMaxTransferLength && grant.MaxTransferLength % grant.BlockSize == 0,
            $"A request of {grant.MaxTransferLength} bytes at most is not whole blocks up to {BlockQueueLayout.MaxMaxTransferLength}.");
        Require(grant.BlockCount is > 0 and <= MaxBlocks, $"An area of {grant.BlockCount} blocks is none.");
        Require(grant.Extents.Count is > 0 and <= MaxExtents, $"The grant has {grant.Extents.Count} extents.");
        long count = 0;
        foreach (BlockExtent extent in grant.Extents)
        {
            Require(
                extent.Start >= 0 && extent.Count > 0 && extent.Count <= grant.BlockCount - count && extent.Start <= MaxBlocks - extent.Count,
                $"The extent {extent} is none, or goes past the {grant.BlockCount} blocks of the area.");
            count += extent.Count;
        }

        Require(count == grant.BlockCount, $"The extents have {count} blocks, the area {grant.BlockCount}.");
        long end = 0;
        foreach (BlockExtent extent in grant.Extents.OrderBy(static extent => extent.Start))
        {
            Require(extent.Start >= end, $"The extent {extent} is in another one.");
            end = extent.Start + extent.Count;
        }
    }

    private static void CheckMemory(StorageGrant grant)
    {
        MemoryGrant memory = grant.Memory;
        Require(
            memory.BufferSize is >= PageSize and <= BlockQueueLayout.MaxMaxTransferLength && memory.BufferSize % PageSize == 0 && memory.BufferSize >= grant.BlockSize,
            $"The buffer size {memory.BufferSize} is not whole pages up to {BlockQueueLayout.MaxMaxTransferLength}, or smaller than a block.");
        Require(
            memory.BufferOffset >= 0 && memory.BufferOffset % PageSize == 0 && memory.BufferLength / memory.BufferSize >= grant.Queues.Count
                && memory.BufferLength <= memory.Length && memory.BufferOffset <= memory.Length - memory.BufferLength
                && memory.BufferLength / memory.BufferSize <= int.MaxValue / 2 && memory.IovaBase % PageSize == 0,
            $"The buffers at {memory.BufferOffset}, {memory.BufferLength} bytes, are not pages in queue memory of {memory.Length} bytes.");
    }

    private static void CheckQueues(StorageGrant grant, IReadOnlyList<Descriptor> descriptors)
    {
        Require(
            grant.Queues.Count is >= 1 and <= ControlProtocol.MaxQueuePairs,
            $"The grant has {grant.Queues.Count} queues, not 1 to {ControlProtocol.MaxQueuePairs}.");
        RingFormat format = grant.Queues[0].Ring.Format;
        bool isNvme = format == RingFormat.Nvme;
        CheckFeatures(grant, format);
        var events = new HashSet<int>();
        var parts = new List<(long Start, long End)> { (grant.Memory.BufferOffset, grant.Memory.BufferOffset + grant.Memory.BufferLength) };
        foreach (BlockQueueGrant queue in grant.Queues)
        {
            RingLayout ring = queue.Ring;
            Require(ring.Format == format, "The grant's queues are not all of one format.");
            var layout = new BlockQueueLayout(ring, queue.CommandArea, grant.MaxTransferLength);
            Require(
                layout.FitsIn(grant.Memory.Length) && (isNvme || ring.QueueSize >= VirtioBlockRing<SplitVirtqueue>.MinQueueSize),
                $"The queue {layout} is not in queue memory of {grant.Memory.Length} bytes, or is not aligned.");
            long driverAreaLength = format == RingFormat.Packed ? PackedFormat.DriverNoteOffset + sizeof(ushort) : ring.DriverAreaLength;
            Require(ring.DriverArea <= grant.Memory.Length - driverAreaLength, $"The ring {ring} leaves no room for the driver's note.");
            parts.Add((ring.DescriptorArea, ring.DescriptorArea + ring.DescriptorAreaLength));
            parts.Add((ring.DriverArea, ring.DriverArea + driverAreaLength));
            parts.Add((ring.DeviceArea, ring.DeviceArea + ring.DeviceAreaLength));
            parts.Add((queue.CommandArea, queue.CommandArea + layout.CommandAreaLength));
            GrantSignals.CheckPlaces(queue.KickDescriptor, queue.EventDescriptor, descriptors.Count);
            Require(events.Add(queue.EventDescriptor), "Two queues have the same event.");
            Require(
                isNvme ? queue.Doorbell is { Width: sizeof(uint) } && queue.CompletionDoorbell is { Width: sizeof(uint) } : queue.CompletionDoorbell is null,
                "An NVMe queue pair has two doorbell registers of 4 bytes, and no other queue has a second one.");
        }

        GrantSignals.CheckApart(parts);
    }

    private static void CheckFeatures(StorageGrant grant, RingFormat format)
    {
        if (format == RingFormat.Nvme)
        {
            Require(grant.Features == VirtioFeatures.None, $"An NVMe device does not have {grant.Features}.");
            Require(grant.NamespaceId is > 0 and < uint.MaxValue, $"0x{grant.NamespaceId:x} is no namespace.");
            return;
        }

        Require(format is RingFormat.Split or RingFormat.Packed, $"No block queue has the format {format}.");
        Require((grant.Features & VirtioFeatures.Version1) != 0, "The grant is for a legacy virtio device.");
        Require((grant.Features & ~Understood) == 0, $"The grant has features that this data plane does not speak: {grant.Features & ~Understood}.");
        Require((format == RingFormat.Packed) == ((grant.Features & VirtioFeatures.RingPacked) != 0), $"A {format} ring does not go with the features {grant.Features}.");

        // What the device has not agreed to must not be asked of it (virtio 1.2 §5.2.6.1).
        CheckCapability(grant, StorageCapabilities.VolatileCache, VirtioBlockFeatures.Flush);
        CheckCapability(grant, StorageCapabilities.Discard, VirtioBlockFeatures.Discard);
        CheckCapability(grant, StorageCapabilities.WriteZeroes, VirtioBlockFeatures.WriteZeroes);
        Require((grant.Capabilities & StorageCapabilities.ForceUnitAccess) == 0, "A virtio block device has no forced unit access.");
    }

    private static void CheckCapability(StorageGrant grant, StorageCapabilities capability, VirtioFeatures feature) =>
        Require((grant.Capabilities & capability) == 0 || (grant.Features & feature) != 0, $"The capability {capability} needs a feature that was not negotiated.");

    private static void CheckSignals(StorageGrant grant, IReadOnlyList<Descriptor> descriptors, Predicate<string?> isDevice)
    {
        var signals = new GrantSignals(descriptors, isDevice);
        foreach (BlockQueueGrant queue in grant.Queues)
        {
            GrantSignals.CheckRegister(queue.Doorbell);
            GrantSignals.CheckRegister(queue.CompletionDoorbell);
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
