using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// A transmit queue: virtio-net's (virtio 1.2 §5.1.6.2), in which each frame has a header before it, or another device's, in
/// which the descriptors say all. Posting only notes the frame; <see cref="Flush"/> writes the descriptors of all of them. What
/// is virtual here is called once a batch.
/// </summary>
internal abstract class TransmitRing
{
    /// <summary>Of a posted frame's first buffer, where there are no headers: the device fills the UDP checksum in.</summary>
    private protected const ushort LeavesChecksum = 1 << 8;

    private const int NoBuffer = -1;
    private const int NoId = -1;

    private readonly VirtioFeatures _features;
    private readonly RingFormat _format;
    private readonly bool _inOrder;
    private readonly bool _hasHeaders;
    private readonly ushort[] _freeIds; // A stack: a lightly loaded ring uses the same lines again and again.
    private readonly int[] _chainIds; // By id: the next descriptor of the same frame.
    private readonly int[] _following; // By buffer: the next one of the same frame.
    private ushort _nextId; // In order, ids go round instead.

    private protected TransmitRing(PacketPool pool, RingLayout ring, VirtioFeatures features)
    {
        int size = ring.QueueSize;
        Pool = pool;
        Size = size;
        _format = ring.Format;
        _hasHeaders = ring.Format != RingFormat.Igb;

        // In the others a tail that is the head means that all is sent: they are never full.
        Capacity = FreeCount = _hasHeaders ? size : size - 1;
        _features = features;
        _inOrder = !_hasHeaders || (features & VirtioFeatures.InOrder) != 0;
        Posted = new BufferDescriptor[size];
        Buffers = new int[size];
        _freeIds = new ushort[size];
        _following = new int[pool.Count];
        _chainIds = new int[size];
        Array.Fill(_chainIds, NoId);
        Array.Fill(_following, NoBuffer);
        for (int i = 0; i < size; i++)
        {
            _freeIds[i] = (ushort)(size - 1 - i);
        }
    }

    /// <summary>Descriptors in the ring.</summary>
    public int Size { get; }

    /// <summary>Descriptors that can be posted at once: one a frame, more for frames in several buffers.</summary>
    public int FreeCount { get; private protected set; }

    /// <summary>Whether the device has frames that it has not given back.</summary>
    public bool HasOutstanding => FreeCount != Capacity;

    /// <summary>The most descriptors that the device can have.</summary>
    private protected int Capacity { get; private set; }

    private protected PacketPool Pool { get; }

    /// <summary>What was posted since the last flush.</summary>
    private protected BufferDescriptor[] Posted { get; }

    private protected int PostedCount { get; set; }

    /// <summary>The first buffer of each frame under way, by id; the bitwise complement where it is not the only one.</summary>
    private protected int[] Buffers { get; }

    /// <summary>Makes the ring of a grant.</summary>
    public static TransmitRing Create(DmaRegion region, PacketPool pool, QueueGrant queue, VirtioFeatures features, Doorbell doorbell) =>
        queue.Ring.Format switch
        {
            RingFormat.Packed => new TransmitRing<PackedVirtqueue>(region, pool, queue, features, doorbell),
            RingFormat.Igb => new IgbTransmitRing(region, pool, queue, features, doorbell),
            _ => new TransmitRing<SplitVirtqueue>(region, pool, queue, features, doorbell),
        };

    /// <summary>Posts a frame that lies in a buffer from <see cref="BufferLayout.FrameOffset"/> plus <paramref name="offset"/> on. False, and the caller keeps the buffer, if the ring is full.</summary>
    /// <exception cref="InvalidOperationException">The handle is stale.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The frame is not inside the buffer.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPost(PacketBuffer buffer, int offset, int frameLength) => FreeCount != 0 && Post(buffer, offset, frameLength, 0, 0);

    /// <summary>The same for a frame to which the device is to do something.</summary>
    /// <exception cref="InvalidOperationException">The handle is stale, or the device does not have the feature.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The frame is not inside the buffer.</exception>
    public bool TryPost(PacketBuffer buffer, int offset, int frameLength, in TransmitOffload offload)
    {
        if ((offload.Needed & ~_features) != 0)
        {
            ThrowMissing(offload);
        }

        return FreeCount != 0 && Post(buffer, offset, frameLength, offload.Word, offload.ChecksumField);
    }

    /// <summary>Posts a frame in several buffers, or one of which the device is to do something. False, and the caller keeps the buffers, if the ring or the pool has no room for it now.</summary>
    /// <exception cref="InvalidOperationException">A handle is stale, or the device does not have the feature.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A part is not inside its buffer, or there are none, or more than the ring has descriptors.</exception>
    public bool TryPost(ReadOnlySpan<TransmitSegment> segments, TransmitOffload? offload)
    {
        ArgumentOutOfRangeException.ThrowIfZero(segments.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(segments.Length, Capacity);
        if (offload is { } asked && (asked.Needed & ~_features) != 0)
        {
            ThrowMissing(asked);
        }

        int firstHeaderLength = _hasHeaders ? VirtioNetHeader.Length : 0;
        ushort firstFlags = _hasHeaders ? (ushort)0 : FlagsOf(offload?.Word ?? 0, offload?.ChecksumField ?? 0);

        foreach (ref readonly TransmitSegment segment in segments)
        {
            _ = Pool.Bytes(segment.Buffer, segment.Offset, segment.Length);
        }

        int headerOffset = segments[0].Offset - firstHeaderLength;
        ArgumentOutOfRangeException.ThrowIfNegative(headerOffset);
        bool isIndirect = NeedsTable(segments.Length);
        int descriptors = isIndirect ? 1 : segments.Length;
        int table = NoBuffer;
        if (FreeCount < descriptors || (isIndirect && !Pool.TryRentForRing(out table)))
        {
            return false;
        }

        int last = table;
        int head = table;
        foreach (ref readonly TransmitSegment segment in segments)
        {
            int index = Pool.ToRing(segment.Buffer);
            if (last == NoBuffer)
            {
                head = index;
            }
            else
            {
                _following[last] = index;
            }

            last = index;
        }

        if (_hasHeaders)
        {
            Pool.WriteHeader(segments[0].Buffer.Index, headerOffset, offload?.Word ?? 0, offload?.ChecksumField ?? 0);
        }

        int first = PostedCount;
        for (int i = 0; i < segments.Length; i++)
        {
            // The first one begins with the header; all but the last go on in the next.
            int headerLength = i == 0 ? firstHeaderLength : 0;
            var descriptor = new BufferDescriptor(
                Pool.AddressOf(segments[i].Buffer.Index) + (segments[i].Offset - headerLength),
                (uint)(segments[i].Length + headerLength),
                (ushort)(i + 1),
                (ushort)((i == 0 ? firstFlags : 0) | (i == segments.Length - 1 ? 0 : DescriptorFlags.Next)));
            if (isIndirect)
            {
                Pool.WriteTableEntry(table, i, descriptor, _format);
                continue;
            }

            ushort id = TakeId();
            if (i > 0)
            {
                _chainIds[Posted[PostedCount - 1].Id] = id;
            }

            Posted[PostedCount++] = descriptor.WithId(id);
        }

        if (isIndirect)
        {
            Posted[PostedCount++] = new BufferDescriptor(Pool.AddressOf(table), (uint)(segments.Length * SplitFormat.DescriptorSize), TakeId(), DescriptorFlags.Indirect);
        }

        Buffers[Posted[first].Id] = head == last ? head : ~head;
        return true;
    }

    /// <summary>Whether a frame in so many buffers goes into the ring as one descriptor, for which the pool gives a buffer more.</summary>
    public bool NeedsTable(int segments) =>
        segments > 1
        && segments * SplitFormat.DescriptorSize <= Pool.BufferSize
        && (_features & VirtioFeatures.RingIndirectDescriptors) != 0;

    /// <summary>Tells the device of what was posted.</summary>
    public abstract void Flush();

    /// <summary>Frees what the device has sent. Returns how many frames that were.</summary>
    /// <exception cref="RingCorruptException">The device wrote an impossible index or id.</exception>
    public abstract int Reclaim();

    /// <summary>Asks for an event when the device has sent something. False where there is something to reclaim already.</summary>
    public abstract bool TryArmEvents();

    /// <summary>Polls again.</summary>
    public abstract void DisarmEvents();

    /// <summary>Wakes the device, as after it came back.</summary>
    public abstract void RingDoorbell();

    /// <summary>Frees what belongs to a frame that the device has sent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected void Free(uint id)
    {
        int buffer = Buffers[id];
        if (buffer < 0)
        {
            FreeChain(id, ~buffer);
            return;
        }

        Pool.ReturnFromRing(buffer);
        FreeId(id);
    }

    /// <summary>Passes over ids that stay with the ring, before the first frame. Returns the next one.</summary>
    private protected uint SkipIds(int count)
    {
        Capacity = FreeCount -= count;
        return _nextId += (ushort)count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Post(PacketBuffer buffer, int offset, int frameLength, ulong header, ushort checksumField)
    {
        if (!_hasHeaders)
        {
            return PostBare(buffer, offset, frameLength, header, checksumField);
        }

        int index = Pool.ToRing(buffer, offset, frameLength);
        Pool.SetHeader(index, offset, header, checksumField);
        ushort id = TakeId();
        Buffers[id] = index;
        Posted[PostedCount++] = new BufferDescriptor(
            Pool.AddressOf(index) + (BufferLayout.HeaderOffset + offset),
            (uint)(frameLength + VirtioNetHeader.Length),
            id,
            0);
        return true;
    }

    private bool PostBare(PacketBuffer buffer, int offset, int frameLength, ulong header, ushort checksumField)
    {
        ushort flags = FlagsOf(header, checksumField);
        int index = Pool.ToRing(buffer, offset, frameLength);
        ushort id = TakeId();
        Buffers[id] = index;
        Posted[PostedCount++] = new BufferDescriptor(Pool.AddressOf(index) + (BufferLayout.FrameOffset + offset), (uint)frameLength, id, flags);
        return true;
    }

    // Where there are no headers, the device knows one kind of frame of which it does something.
    private static ushort FlagsOf(ulong header, ushort checksumField)
    {
        if (header == 0)
        {
            return 0;
        }

        if (header != TransmitOffload.UdpOverIpv4.Word || checksumField != TransmitOffload.UdpOverIpv4.ChecksumField)
        {
            throw new InvalidOperationException("The device fills the checksum of UDP over IPv4 without options in, and no other.");
        }

        return LeavesChecksum;
    }

    [DoesNotReturn]
    private void ThrowMissing(in TransmitOffload offload) =>
        throw new InvalidOperationException($"The device does not have {offload.Needed & ~_features}; the grant's features tell what it has.");

    private void FreeChain(uint id, int buffer)
    {
        while (buffer != NoBuffer)
        {
            int following = _following[buffer];
            _following[buffer] = NoBuffer;
            Pool.ReturnFromRing(buffer);
            buffer = following;
        }

        for (int descriptor = (int)id; descriptor != NoId;)
        {
            int next = _chainIds[descriptor];
            _chainIds[descriptor] = NoId;
            FreeId((uint)descriptor);
            descriptor = next;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ushort TakeId()
    {
        FreeCount--;
        if (!_inOrder)
        {
            return _freeIds[FreeCount];
        }

        ushort id = _nextId;
        _nextId = (ushort)(id + 1 & Size - 1);
        return id;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FreeId(uint id)
    {
        if (!_inOrder)
        {
            _freeIds[FreeCount] = (ushort)id;
        }

        FreeCount++;
    }
}
