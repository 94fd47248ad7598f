using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// The request queue of a virtio block device (virtio 1.2 §5.2.6): of each request a header, the data and a status byte, as a chain of
/// three descriptors, or where the device takes indirect ones as one that names a table. Header and table are one cache line of the
/// tag's own, which the driver writes; the status bytes lie together, which the device writes.
/// </summary>
/// <typeparam name="TQueue">The virtqueue's format.</typeparam>
internal sealed unsafe class VirtioBlockRing<TQueue> : BlockRing
    where TQueue : struct, IVirtqueue<TQueue>
{
    private const int ChainLength = 3;
    private const int TableOffset = BlockQueueLayout.HeaderLength;
    private const int DataEntry = TableOffset + SplitFormat.DescriptorSize;
    private const int StatusEntry = DataEntry + SplitFormat.DescriptorSize;
    private const int Word = SplitFormat.DescriptorLengthOffset;

    private readonly byte* _requests;
    private readonly byte* _segments;
    private readonly byte* _statuses;
    private readonly Iova _start; // Of queue memory.
    private readonly Iova _requestsAddress;
    private readonly Iova _segmentsAddress;
    private readonly Iova _statusesAddress;
    private readonly int _sectorShift; // Blocks to sectors.
    private readonly bool _isPacked;
    private readonly bool _isIndirect;
    private readonly BufferDescriptor[] _descriptors;
    private readonly UsedBuffer[] _used;
    private readonly uint[] _writable; // By tag: the bytes that the device may write; zero while it does not have the request.
    private TQueue _queue;
    private int _outstanding;

    /// <summary>Finds a ring in queue memory.</summary>
    /// <param name="region">Queue memory.</param>
    /// <param name="layout">Where its parts are; checked before.</param>
    /// <param name="blockSize">Bytes of a block: a power of two, at least a sector.</param>
    /// <param name="features">What was negotiated.</param>
    /// <param name="doorbell">Tells the device of new requests.</param>
    public VirtioBlockRing(DmaRegion region, BlockQueueLayout layout, int blockSize, VirtioFeatures features, Doorbell doorbell)
    {
        _queue = TQueue.Attach(region, layout.Ring, direction: null, features, doorbell);
        int size = layout.Ring.QueueSize;
        _isPacked = layout.Ring.Format == RingFormat.Packed;
        _isIndirect = (features & VirtioFeatures.RingIndirectDescriptors) != 0;
        Depth = _isIndirect ? size : size / ChainLength;
        _start = region.Start;
        _requests = region.At(layout.CommandArea, (long)size * BlockQueueLayout.RequestLength);
        _segments = region.At(layout.SegmentArea, (long)size * BlockQueueLayout.SegmentLength);
        _statuses = region.At(layout.StatusArea, size);
        _requestsAddress = region.Start + layout.CommandArea;
        _segmentsAddress = region.Start + layout.SegmentArea;
        _statusesAddress = region.Start + layout.StatusArea;
        _sectorShift = BitOperations.Log2((uint)blockSize / VirtioBlockRequest.SectorSize);
        _descriptors = new BufferDescriptor[_isIndirect ? Depth : Depth * ChainLength];
        _used = new UsedBuffer[Math.Min(Depth, 64)];
        _writable = new uint[Depth];
    }

    /// <summary>The smallest ring: one request's chain.</summary>
    public const int MinQueueSize = 4;

    /// <inheritdoc/>
    public override int Depth { get; }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int Submit(ReadOnlySpan<BlockCommand> commands)
    {
        int count = Math.Min(commands.Length, Depth - _outstanding);
        int descriptors = 0;
        for (int i = 0; i < count; i++)
        {
            ref readonly BlockCommand command = ref commands[i];
            int tag = command.Tag;
            byte* request = _requests + (nint)tag * BlockQueueLayout.RequestLength;
            Iova data = _start + command.DataOffset;
            uint length = (uint)command.DataLength;
            uint writable = VirtioBlockRequest.StatusLength;
            ushort dataFlags = 0;
            VirtioBlockType type;
            ulong sector = 0;
            switch (command.Operation)
            {
                case BlockOperation.Read:
                    type = VirtioBlockType.Read;
                    sector = command.Block << _sectorShift;
                    dataFlags = DescriptorFlags.Write;
                    writable += length;
                    break;
                case BlockOperation.Write:
                    type = VirtioBlockType.Write;
                    sector = command.Block << _sectorShift;
                    break;
                case BlockOperation.Flush:
                    type = VirtioBlockType.Flush;
                    length = 0;
                    break;
                default:
                    type = command.Operation == BlockOperation.Discard ? VirtioBlockType.Discard : VirtioBlockType.WriteZeroes;
                    byte* segment = _segments + (nint)tag * BlockQueueLayout.SegmentLength;
                    Volatile.Write(ref *(ulong*)segment, command.Block << _sectorShift);
                    Volatile.Write(ref *(ulong*)(segment + sizeof(ulong)), (ulong)command.Blocks << _sectorShift); // num_sectors, and flags of zero.
                    data = _segmentsAddress + (long)tag * BlockQueueLayout.SegmentLength;
                    length = BlockQueueLayout.SegmentLength;
                    break;
            }

            if (_writable[tag] != 0)
            {
                ThrowTagInUse(tag);
            }

            _writable[tag] = writable;
            Volatile.Write(ref *(ulong*)request, (ulong)type);
            Volatile.Write(ref *(ulong*)(request + VirtioBlockRequest.SectorOffset), sector);
            Iova header = _requestsAddress + (long)tag * BlockQueueLayout.RequestLength;
            Iova status = _statusesAddress + tag;
            if (!_isIndirect)
            {
                ushort id = (ushort)(tag * ChainLength);
                _descriptors[descriptors++] = new BufferDescriptor(header, BlockQueueLayout.HeaderLength, id, DescriptorFlags.Next);
                if (length != 0)
                {
                    _descriptors[descriptors++] = new BufferDescriptor(data, length, (ushort)(id + 1), (ushort)(dataFlags | DescriptorFlags.Next));
                }

                _descriptors[descriptors++] = new BufferDescriptor(status, VirtioBlockRequest.StatusLength, (ushort)(id + 2), DescriptorFlags.Write);
                continue;
            }

            WriteTable(request, header, data, length, dataFlags, status);

            // A table of a split ring is linked (§2.7.5.3), so that it can have an entry that no link leads to: the descriptor that
            // names it always says the same and is written once. In a packed one every entry counts (§2.8.7).
            int entries = _isPacked && length == 0 ? ChainLength - 1 : ChainLength;
            _descriptors[descriptors++] = new BufferDescriptor(header + TableOffset, (uint)(entries * SplitFormat.DescriptorSize), (ushort)tag, DescriptorFlags.Indirect);
        }

        if (descriptors != 0)
        {
            _queue.MakeAvailable(_descriptors.AsSpan(0, descriptors));
            _outstanding += count;
        }

        return count;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Publish()
    {
        if (_queue.Unpublished != 0)
        {
            _queue.Publish();
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int TakeCompleted(Span<BlockCompletion> completions)
    {
        if (_outstanding == 0)
        {
            return 0;
        }

        ref TQueue queue = ref _queue; // A struct that changes: the field must not be readonly.
        int count = queue.TakeUsed(_used.AsSpan(0, Math.Min(completions.Length, _used.Length)), withLengths: true);
        for (int i = 0; i < count; i++)
        {
            uint id = _used[i].Id;
            uint tag = _isIndirect ? id : id / ChainLength;
            uint length = _used[i].Length;
            uint writable = _writable[tag];
            if (length > writable)
            {
                ThrowLength(length, writable);
            }

            _writable[tag] = 0;

            // Read once. What the device says to have written counts (§2.7.8.2): without the last byte there is no status, and a
            // read of fewer bytes has not read them all.
            byte status = Volatile.Read(ref *(_statuses + tag));
            completions[i] = new BlockCompletion((ushort)tag, length == 0 ? BlockStatus.DeviceFault : Translate(status, length == writable), status);
        }

        _outstanding -= count;
        return count;
    }

    /// <inheritdoc/>
    public override bool TryArmEvents() => _queue.TryArmEvents();

    /// <inheritdoc/>
    public override void DisarmEvents() => _queue.DisarmEvents();

    /// <inheritdoc/>
    public override void RingDoorbell() => _queue.RingDoorbell();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static BlockStatus Translate(byte status, bool isWhole) => (VirtioBlockStatus)status switch
    {
        VirtioBlockStatus.Ok => isWhole ? BlockStatus.Success : BlockStatus.DeviceFault,

        // The only word for all that fails: bounds and the right to write were checked before.
        VirtioBlockStatus.Error => BlockStatus.MediaError,
        VirtioBlockStatus.Unsupported => BlockStatus.Unsupported,
        _ => BlockStatus.DeviceFault,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void WriteTable(byte* request, Iova header, Iova data, uint length, ushort dataFlags, Iova status)
    {
        bool hasData = length != 0;
        ulong next = (ulong)DescriptorFlags.Next << 32;
        Volatile.Write(ref *(ulong*)(request + TableOffset), header.Value);
        if (!_isPacked)
        {
            // Length u32, flags u16, next u16 (§2.7.5).
            Volatile.Write(ref *(ulong*)(request + TableOffset + Word), BlockQueueLayout.HeaderLength | next | (hasData ? 1UL : 2UL) << 48);
            Volatile.Write(ref *(ulong*)(request + DataEntry), data.Value);
            Volatile.Write(ref *(ulong*)(request + DataEntry + Word), length | next | (ulong)dataFlags << 32 | 2UL << 48);
            Volatile.Write(ref *(ulong*)(request + StatusEntry), status.Value);
            Volatile.Write(ref *(ulong*)(request + StatusEntry + Word), VirtioBlockRequest.StatusLength | (ulong)DescriptorFlags.Write << 32);
            return;
        }

        // Length u32, id u16, flags u16 (§2.8.13), of which only WRITE means something here.
        Volatile.Write(ref *(ulong*)(request + TableOffset + Word), BlockQueueLayout.HeaderLength);
        byte* entry = request + DataEntry;
        if (hasData)
        {
            Volatile.Write(ref *(ulong*)entry, data.Value);
            Volatile.Write(ref *(ulong*)(entry + Word), length | (ulong)dataFlags << 48);
            entry += SplitFormat.DescriptorSize;
        }

        Volatile.Write(ref *(ulong*)entry, status.Value);
        Volatile.Write(ref *(ulong*)(entry + Word), VirtioBlockRequest.StatusLength | (ulong)DescriptorFlags.Write << 48);
    }

    [DoesNotReturn]
    private static void ThrowLength(uint length, uint writable) =>
        throw new RingCorruptException(null, $"used length {length} of a request of which the device may write {writable} bytes");

    [DoesNotReturn]
    private static void ThrowTagInUse(int tag) => throw new InvalidOperationException($"Request {tag} is with the device already.");
}
