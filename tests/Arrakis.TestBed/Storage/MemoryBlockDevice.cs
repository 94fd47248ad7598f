using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.TestBed.Storage;

/// <summary>
/// A storage grant as the daemon makes it, and the device's side of its queues, in this process: served by <see cref="Poll"/> on
/// whatever thread calls it, or request by request by <see cref="TryTake"/> and <see cref="Complete"/>, in any order.
/// </summary>
public sealed unsafe class MemoryBlockDevice : IDisposable
{
    /// <summary>The device's address of queue memory.</summary>
    public const ulong IovaBase = 0x1_0000_0000;

    private readonly MemoryFile _memory;
    private readonly MemoryFile _statusFile;
    private readonly MemoryMapping _status;
    private readonly MemoryMapping _mapping;
    private readonly EventFd[] _events;
    private readonly EventFd[] _kicks;
    private readonly BlockDeviceRing[] _rings;

    public MemoryBlockDevice(MemoryBlockOptions? options = null)
    {
        options ??= new MemoryBlockOptions();
        int maxTransferLength = options.MaxTransferLength ?? options.BufferSize;
        IReadOnlyList<BlockExtent> extents = options.Extents ?? [new BlockExtent(0, options.BlockCount)];
        Medium = options.Medium ?? new MemoryMedium(extents.Max(static extent => extent.Start + extent.Count) * options.BlockSize);
        _events = [.. Enumerable.Range(0, options.Queues).Select(static _ => new EventFd())];
        _kicks = [.. Enumerable.Range(0, options.Queues).Select(static _ => new EventFd())];
        var queues = new BlockQueueGrant[options.Queues];
        long end = 0;
        for (int i = 0; i < queues.Length; i++)
        {
            var layout = BlockQueueLayout.At(options.Format, end, options.QueueSize, maxTransferLength);
            queues[i] = new BlockQueueGrant(layout.Ring, layout.CommandArea, BindingGrant.EventDescriptor + 2 * i + 1, BindingGrant.EventDescriptor + 2 * i);
            end = layout.End;
        }

        long bufferOffset = (end + 4095) / 4096 * 4096;
        long bufferLength = (long)options.Buffers * options.Queues * options.BufferSize;
        _memory = MemoryFile.Create("test queue memory", bufferOffset + bufferLength, PagePreference.BaseOnly);
        _statusFile = MemoryFile.Create("test status", StatusPageLayout.Length, PagePreference.BaseOnly);
        _status = MemoryMapping.Map(_statusFile.Descriptor, 0, StatusPageLayout.Length, MappingAccess.ReadWrite);
        Grant = new StorageGrant
        {
            BindingId = 43,
            Generation = 5,
            Device = "memory0",
            VirtualFunction = 0,
            Area = "test",
            Access = options.Access,
            BlockSize = options.BlockSize,
            BlockCount = extents.Sum(static extent => extent.Count),
            Extents = extents,
            Capabilities = options.Capabilities,
            MaxTransferLength = maxTransferLength,
            Features = FeaturesOf(options),
            Memory = new MemoryGrant(_memory.Length, MemoryFile.BasePageSize, IovaBase, bufferOffset, bufferLength, options.BufferSize),
            Queues = queues,
        };
        _status.Store(StatusPageLayout.Magic, StatusPageLayout.MagicValue);
        _status.Store(StatusPageLayout.Version, StatusPageLayout.VersionValue);
        _status.Store(StatusPageLayout.Generation, Grant.Generation);
        _status.Store(StatusPageLayout.BindingId, Grant.BindingId);
        _status.Store(StatusPageLayout.State, (uint)BindingState.Active);
        _status.Store(StatusPageLayout.LinkState, 1u);
        _mapping = MemoryMapping.Map(_memory.Descriptor, 0, _memory.Length, MappingAccess.ReadWrite);
        _rings = [.. queues.Select(queue => new BlockDeviceRing(_mapping.Start, _mapping.Length, IovaBase, queue.Ring))];
        Array.ForEach(_rings, static ring => ring.AskForDoorbell(false));
    }

    /// <summary>The grant.</summary>
    public StorageGrant Grant { get; init; }

    /// <summary>What it keeps the bytes in.</summary>
    public IBlockMedium Medium { get; }

    /// <summary>Queue memory, as a file.</summary>
    public MemoryFile Memory => _memory;

    /// <summary>How often a binding was given back.</summary>
    public int Released { get; private set; }

    /// <summary>The doorbell of a queue.</summary>
    public EventFd Kick(int queue = 0) => _kicks[queue];

    /// <summary>What the device raises towards the application for a queue.</summary>
    public EventFd Event(int queue = 0) => _events[queue];

    /// <summary>Bytes of queue memory, as the device sees them.</summary>
    public Span<byte> Bytes(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, _mapping.Length - length);
        return new Span<byte>(_mapping.Start + offset, length);
    }

    /// <summary>The grant's descriptors; who takes them owns them.</summary>
    public Descriptor[] Descriptors() =>
    [
        _memory.Descriptor.Duplicate(),
        _statusFile.OpenReadOnlyCopy(),
        .. Enumerable.Range(0, _rings.Length).SelectMany(queue => new[] { _events[queue].Descriptor.Duplicate(), _kicks[queue].Descriptor.Duplicate() }),
    ];

    /// <summary>Makes the binding.</summary>
    public StorageBinding Bind(TimeSpan? timeout = null, TimeProvider? time = null, Func<RevocationRequest, StorageBinding, ValueTask>? onRevocation = null) =>
        new(
            Grant,
            Descriptors(),
            _ =>
            {
                Released++;
                return default;
            },
            onRevocation,
            timeout,
            time);

    /// <summary>Serves what there is on all queues. Returns the number of requests.</summary>
    public int Poll()
    {
        int count = 0;
        for (int queue = 0; queue < _rings.Length; queue++)
        {
            while (TryTake(out DeviceBlockRequest request, queue))
            {
                Complete(request, Serve(request), queue);
                count++;
            }

            Publish(queue);
        }

        return count;
    }

    /// <summary>Takes the next request of a queue, if there is one.</summary>
    public bool TryTake(out DeviceBlockRequest request, int queue = 0) => _rings[queue].TryTake(out request);

    /// <summary>Does what a request asks.</summary>
    public VirtioBlockStatus Serve(in DeviceBlockRequest request)
    {
        long offset = (long)request.Sector * VirtioBlockRequest.SectorSize;
        long length = request.Sectors * VirtioBlockRequest.SectorSize;
        if (request.Type != VirtioBlockType.Flush && (request.Sector > (ulong)Medium.Length || offset > Medium.Length - length))
        {
            return VirtioBlockStatus.Error;
        }

        var data = new Span<byte>(_mapping.Start + request.DataOffset, request.DataLength);
        return request.Type switch
        {
            VirtioBlockType.Read => Medium.Read(offset, data),
            VirtioBlockType.Write => Medium.Write(offset, data),
            VirtioBlockType.Flush => Medium.Flush(),
            VirtioBlockType.Discard => Medium.Discard(offset, length),
            VirtioBlockType.WriteZeroes => Medium.WriteZeroes(offset, length),
            _ => VirtioBlockStatus.Unsupported,
        };
    }

    /// <summary>Gives a request back, at the next <see cref="Publish"/>.</summary>
    public void Complete(in DeviceBlockRequest request, VirtioBlockStatus status, int queue = 0)
    {
        _mapping.Start[request.StatusOffset] = (byte)status;
        _rings[queue].Use(request.Id, request.Descriptors, request.Writable);
    }

    /// <summary>Gives back whatever id there may be: what a device must not.</summary>
    public void CompleteWrongly(ushort id, int descriptors, uint length, int queue = 0) => _rings[queue].Use(id, descriptors, length);

    /// <summary>Shows the driver what was given back, and raises the event where it wants that.</summary>
    public void Publish(int queue = 0)
    {
        if (_rings[queue].Publish())
        {
            _events[queue].Signal();
        }
    }

    /// <summary>Whether the driver is to ring at what it makes available.</summary>
    public void AskForDoorbell(bool wanted, int queue = 0) => _rings[queue].AskForDoorbell(wanted);

    /// <summary>Publishes a state of the binding.</summary>
    public void SetState(BindingState state) => _status.Store(StatusPageLayout.State, (uint)state);

    /// <summary>Asks the binding back.</summary>
    public void AskBack(long deadline)
    {
        _status.Store(StatusPageLayout.RequestedKind, (uint)ResourceKind.VirtualFunction);
        _status.Store(StatusPageLayout.RequestedUnits, 1u);
        _status.Store(StatusPageLayout.Deadline, (ulong)deadline);
        SetState(BindingState.RevocationRequested);
    }

    /// <summary>Publishes a state of the link.</summary>
    public void SetLink(bool up, uint epoch) => _status.Store(StatusPageLayout.LinkState, (ulong)epoch << 32 | (up ? 1u : 0u));

    /// <inheritdoc/>
    public void Dispose()
    {
        _mapping.Dispose();
        _status.Dispose();
        _memory.Dispose();
        _statusFile.Dispose();
        Array.ForEach(_events, static counter => counter.Dispose());
        Array.ForEach(_kicks, static counter => counter.Dispose());
    }

    private static VirtioFeatures FeaturesOf(MemoryBlockOptions options) =>
        VirtioFeatures.Version1
        | (options.Format == RingFormat.Packed ? VirtioFeatures.RingPacked : 0)
        | (options.IsIndirect ? VirtioFeatures.RingIndirectDescriptors : 0)
        | (options.Capabilities.HasFlag(StorageCapabilities.VolatileCache) ? VirtioBlockFeatures.Flush : 0)
        | (options.Capabilities.HasFlag(StorageCapabilities.Discard) ? VirtioBlockFeatures.Discard : 0)
        | (options.Capabilities.HasFlag(StorageCapabilities.WriteZeroes) ? VirtioBlockFeatures.WriteZeroes : 0);
}
