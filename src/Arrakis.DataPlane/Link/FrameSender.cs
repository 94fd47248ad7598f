using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Link;

/// <summary>The way out: buffers to build frames in, and the transmit ring.</summary>
internal sealed class FrameSender(ReceiveRing receiveRing, TransmitRing transmitRing, PacketPool pool, NetCounters counters)
{
    // Up to this length a reply is copied to a buffer that the transmit ring used lately. Both rings' descriptors then stay
    // as they are, which costs the two cores less than the copy does.
    private const int CopyLimit = 256;

    private const int FlushLot = 32;

    private int _unflushed;

    /// <summary>Buffers in the pool.</summary>
    public PacketPool Pool => pool;

    /// <summary>Whether a frame can be posted now; reclaims what the device has sent if need be.</summary>
    public bool HasRoom
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => transmitRing.FreeCount > 0 || transmitRing.Reclaim() > 0;
    }

    /// <summary>Takes a buffer to build a frame in, at <see cref="BufferLayout.FrameOffset"/>. False if all are in use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRent(out PacketBuffer buffer) =>
        pool.TryRent(out buffer) || (transmitRing.Reclaim() > 0 && pool.TryRent(out buffer));

    /// <summary>The frame part of a buffer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Frame(PacketBuffer buffer, int length) => pool.Bytes(buffer, BufferLayout.FrameOffset, length);

    /// <summary>Posts an owned buffer. It is the ring's afterwards, or free if the ring was full (counted, false).</summary>
    /// <param name="buffer">The frame, from <see cref="BufferLayout.FrameOffset"/> on.</param>
    /// <param name="frameLength">Bytes.</param>
    /// <param name="partialChecksumAt">Offset in the frame of the UDP header whose checksum the device fills in; zero for none.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TrySend(PacketBuffer buffer, int frameLength, int partialChecksumAt = 0) => TrySendAt(buffer, 0, frameLength, partialChecksumAt);

    /// <summary>Whether a frame in so many buffers can be posted now, each of them still to be rented; reclaims what the device has sent if need be.</summary>
    public bool HasRoomFor(int segments)
    {
        bool needsTable = transmitRing.NeedsTable(segments);
        return IsPostable(segments) && HasRoomFor(needsTable ? 1 : segments, needsTable ? segments + 1 : segments);
    }

    /// <summary>Whether an empty ring takes a frame in so many buffers: no chain may be longer than the ring, nor a table (virtio 1.2 §2.7.5.3.1).</summary>
    public bool IsPostable(int segments) => segments <= transmitRing.Size;

    /// <summary>Whether so many descriptors and buffers are free.</summary>
    public bool HasRoomFor(int descriptors, int buffers)
    {
        if (transmitRing.FreeCount < descriptors || pool.FreeCount < buffers)
        {
            _ = transmitRing.Reclaim();
        }

        return transmitRing.FreeCount >= descriptors && pool.FreeCount >= buffers;
    }

    /// <summary>Whether more room comes by itself, as the device has frames that it will give back.</summary>
    public bool AwaitsRoom => transmitRing.HasOutstanding;

    /// <summary>Posts a frame in several owned buffers, for which there is room.</summary>
    /// <exception cref="InvalidOperationException">There was no room.</exception>
    public void Send(ReadOnlySpan<TransmitSegment> segments, int frameLength, TransmitOffload offload)
    {
        if (!transmitRing.TryPost(segments, offload))
        {
            throw new InvalidOperationException($"There was no room for a frame in {segments.Length} buffers.");
        }

        CountSent(frameLength);
    }

    /// <summary>Posts a frame in a buffer of the receive batch, from <paramref name="offset"/> in the frame on. False if there was no room (counted).</summary>
    public bool TryReply(ref ReceivedFrame frame, int offset, int frameLength, int partialChecksumAt = 0)
    {
        if (!HasRoom)
        {
            counters.Count(DropReason.TransmitRingFull);
            return false;
        }

        if (frameLength <= CopyLimit && pool.TryRent(out PacketBuffer copy))
        {
            pool.Bytes(frame.Buffer, BufferLayout.FrameOffset + offset, frameLength).CopyTo(Frame(copy, frameLength));

            // As if it were posted itself: handles to it end here.
            frame.Buffer = pool.Renew(frame.Buffer);
            return TrySendAt(copy, 0, frameLength, partialChecksumAt);
        }

        if (!receiveRing.TryTake(ref frame) && (transmitRing.Reclaim() == 0 || !receiveRing.TryTake(ref frame)))
        {
            counters.Count(DropReason.NoBuffer);
            return false;
        }

        return TrySendAt(frame.Buffer, offset, frameLength, partialChecksumAt);
    }

    /// <summary>Makes the caller the owner of a received frame's buffer. False if there is no other for the ring.</summary>
    public bool TryTake(ref ReceivedFrame frame) => receiveRing.TryTake(ref frame);

    /// <summary>Gives an owned buffer back unsent.</summary>
    public void Return(PacketBuffer buffer) => pool.Return(buffer);

    /// <summary>Tells the device of all posted frames.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Flush()
    {
        _unflushed = 0;
        transmitRing.Flush();
    }

    private bool TrySendAt(PacketBuffer buffer, int offset, int frameLength, int partialChecksumAt)
    {
        if (!HasRoom || !(partialChecksumAt == 0
            ? transmitRing.TryPost(buffer, offset, frameLength)
            : transmitRing.TryPost(buffer, offset, frameLength, new TransmitOffload((ushort)partialChecksumAt, UdpView.ChecksumOffset))))
        {
            pool.Return(buffer);
            counters.Count(DropReason.TransmitRingFull);
            return false;
        }

        CountSent(frameLength);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountSent(int frameLength)
    {
        counters.CountSent(frameLength);
        if (++_unflushed >= FlushLot)
        {
            Flush();
        }
    }
}
