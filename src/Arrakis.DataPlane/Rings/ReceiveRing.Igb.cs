using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Igb;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// A receive queue of an Intel 82576 function: one ring of advanced descriptors (datasheet §7.1.5), used in their order. The
/// device writes a descriptor over, DD last, and is told by the tail register up to where the driver has written them anew.
/// Whatever the device wrote is read once into a local and checked before use; it names no buffer.
/// </summary>
internal sealed unsafe class IgbReceiveRing : ReceiveRing
{
    private const int MaxBatch = 64;

    // Descriptors are given back to the device in lots: a store to its register takes longer than a frame.
    private const int MaxRefillLot = 32;

    private const ulong Checked = IgbReceiveDescriptor.UdpChecked | IgbReceiveDescriptor.TransportChecked;

    // What makes the device's word on a checksum no good one.
    private const ulong Doubts = IgbReceiveDescriptor.IgnoreChecksum | IgbReceiveDescriptor.TransportError | IgbReceiveDescriptor.IpError;

    private readonly byte* _ring;
    private readonly Doorbell _doorbell;
    private readonly NetCounters? _counters;
    private readonly uint _mask;
    private readonly uint _refillLot;
    private readonly bool _trustsChecksums;

    // Descriptors counted, not positions. Invariant: _published <= _written <= _taken, within one size.
    private uint _taken; // The next one to look at.
    private uint _written; // The next one to be written anew.
    private uint _published; // As far as the device was told.
    private bool _isCut; // The device has put a frame into several buffers, of which the last has not come.

    public IgbReceiveRing(DmaRegion region, PacketPool pool, QueueGrant queue, VirtioFeatures features, Doorbell doorbell, NetCounters? counters)
        : base(pool, queue.Ring.QueueSize)
    {
        _ring = region.At(queue.Ring.DescriptorArea, queue.Ring.DescriptorAreaLength);
        _doorbell = doorbell;
        _counters = counters;
        _mask = (uint)Size - 1;
        _refillLot = (uint)Math.Clamp(Size / 4, 1, MaxRefillLot);
        _trustsChecksums = (features & VirtioFeatures.NetGuestChecksum) != 0;
        for (uint i = 0; i <= _mask; i++)
        {
            if (!pool.TryRentForRing(out Buffers[i]))
            {
                throw new InvalidGrantException($"The pool has {pool.Count} buffers, fewer than the receive ring of {Size} descriptors.");
            }

            Write(i);
        }
    }

    // A tail that is the head means that the device has no descriptor: one stays with the driver (§7.1.7).
    private uint Tail => (_published - 1) & _mask;

    /// <inheritdoc/>
    public override void Start() => _doorbell.Ring(Tail);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int Receive(Span<ReceivedFrame> batch)
    {
        int room = Math.Min(batch.Length, MaxBatch);
        uint first = _taken;
        uint next = first;

        // No more than the device can have, whatever it says: what was taken before is then not taken again.
        uint end = _written + _mask;
        int count = 0;
        while (count < room && next != end)
        {
            ulong status = ReadStatus(next);
            if ((status & IgbReceiveDescriptor.Done) == 0)
            {
                break;
            }

            int length = (ushort)(status >> IgbReceiveDescriptor.LengthShift);
            if ((uint)(length - 1) >= IgbReceiveDescriptor.BufferLength)
            {
                ThrowLength(length);
            }

            uint position = next++ & _mask;
            if ((status & (IgbReceiveDescriptor.EndOfPacket | IgbReceiveDescriptor.ReceiveError)) != IgbReceiveDescriptor.EndOfPacket || _isCut)
            {
                Drop(status);
                continue;
            }

            ref ReceivedFrame frame = ref batch[count++];
            frame = default;
            frame.Buffer = Pool.FromRing(Buffers[position]);
            frame.Length = length;
            frame.Descriptor = (ushort)position;
            frame.Offload = _trustsChecksums && (status & Checked) != 0 && (status & Doubts) == 0 ? VirtioNetHeader.DataValid : (ushort)0;
        }

        _taken = next;
        if (count == 0 && first == _written && next != first)
        {
            // Nobody gives back a batch of none.
            Refill();
        }

        return count;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Release(ReadOnlySpan<ReceivedFrame> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            ref readonly ReceivedFrame frame = ref batch[i];
            if (frame.Taken)
            {
                Buffers[frame.Descriptor] = Pool.RentReserved();
            }
            else
            {
                _ = Pool.ToRing(frame.Buffer);
            }
        }

        Refill();
    }

    /// <inheritdoc/>
    public override bool TryArmEvents()
    {
        if (_published != _written)
        {
            Publish();
        }

        // A frame that comes before the device has this leaves its cause behind, for which the event then comes at once. Where one
        // has come already the event stays asked for: it wakes nobody who polls, and the device takes the wish back by itself.
        _doorbell.ArmEvent();

        // Full barrier: this side looks after it has asked.
        Interlocked.MemoryBarrier();
        return (ReadStatus(_taken) & IgbReceiveDescriptor.Done) == 0;
    }

    /// <inheritdoc/>
    public override void DisarmEvents()
    {
        // The device masks the interrupt as it raises it (EIAM), and raises at most one to who polls.
    }

    /// <inheritdoc/>
    public override void RingDoorbell() => Publish();

    // Acquire: before the buffer that it covers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong ReadStatus(uint descriptor) =>
        Volatile.Read(ref *(ulong*)(_ring + (nint)(descriptor & _mask) * IgbReceiveDescriptor.Size + IgbReceiveDescriptor.StatusOffset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Write(uint descriptor)
    {
        uint position = descriptor & _mask;
        byte* at = _ring + (nint)position * IgbReceiveDescriptor.Size;
        Volatile.Write(ref *(ulong*)at, (Pool.AddressOf(Buffers[position]) + BufferLayout.FrameOffset).Value);
        Volatile.Write(ref *(ulong*)(at + IgbReceiveDescriptor.StatusOffset), 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Refill()
    {
        uint next = _written;
        for (; next != _taken; next++)
        {
            Write(next);
        }

        _written = next;
        if (next - _published >= _refillLot)
        {
            Publish();
        }
    }

    private void Publish()
    {
        _published = _written;
        _doorbell.Ring(Tail);
    }

    // The MTU fits a buffer, and damaged frames are not stored: a neighbour with a larger MTU, or a device that was set up otherwise.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Drop(ulong status)
    {
        bool ends = (status & IgbReceiveDescriptor.EndOfPacket) != 0;
        if (ends)
        {
            _counters?.Count(_isCut ? DropReason.FrameTooLong : DropReason.FrameDamaged);
        }

        _isCut = !ends;
    }

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ThrowLength(int length) =>
        throw new RingCorruptException(QueueDirection.Receive, $"a length of {length} in a buffer of {IgbReceiveDescriptor.BufferLength} bytes");
}
