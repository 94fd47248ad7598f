using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire.Igb;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings;

public sealed class IgbReceiveRingTests
{
    private const ulong Checked = IgbReceiveDescriptor.TransportChecked;

    [Theory]
    [InlineData(8)]
    [InlineData(64)]
    [InlineData(256)]
    public void Frames_come_in_order_and_whole_when_the_ring_goes_round(int queueSize)
    {
        using var rings = new IgbRings(queueSize, queueSize * 3);
        FrameSequence.AssertInOrder(rings.Receive, frame => rings.Device.TryDeliver(frame), rings.Bytes, 10_000);
    }

    [Fact]
    public void The_tail_is_never_the_head_and_one_descriptor_stays_with_the_driver()
    {
        using var rings = new IgbRings(queueSize: 8);
        Assert.Equal(7u, rings.ReceiveTail);
        for (int i = 0; i < 7; i++)
        {
            Assert.True(rings.Device.TryDeliver([(byte)i]));
        }

        Assert.False(rings.Device.TryDeliver([7]));
        var batch = new ReceivedFrame[64];
        Assert.Equal(7, rings.Receive.Receive(batch));
        Assert.Equal(0, rings.Receive.Receive(batch));
        Assert.False(rings.Device.TryDeliver([7]));
        rings.Receive.Release(batch.AsSpan(0, 7));
        Assert.Equal(7, rings.Device.Room);
        Assert.Equal(6u, rings.ReceiveTail);
        Assert.True(rings.Device.TryDeliver([7]));
        Assert.Equal(1, rings.Receive.Receive(batch));
        Assert.Equal([7], rings.Bytes(batch[0]));
    }

    [Fact]
    public void Descriptors_are_given_back_in_lots_and_all_of_them_before_the_driver_sleeps()
    {
        using var rings = new IgbRings(queueSize: 16);
        var batch = new ReceivedFrame[1];
        for (int i = 0; i < 3; i++)
        {
            Assert.True(rings.Device.TryDeliver([1]));
            Assert.Equal(1, rings.Receive.Receive(batch));
            rings.Receive.Release(batch);
            Assert.Equal(15u, rings.ReceiveTail);
        }

        Assert.True(rings.Receive.TryArmEvents());
        Assert.Equal(2u, rings.ReceiveTail);
        Assert.Equal(15, rings.Device.Room);
    }

    [Fact]
    public void An_event_is_raised_once_for_who_has_asked_and_no_sleep_begins_while_a_frame_waits()
    {
        using var rings = new IgbRings();
        var batch = new ReceivedFrame[8];
        Assert.True(rings.Device.TryDeliver([1]));
        Assert.Equal(0, rings.Events);
        Assert.False(rings.Receive.TryArmEvents());
        Assert.Equal(1, rings.Receive.Receive(batch));
        rings.Receive.Release(batch.AsSpan(0, 1));

        Assert.True(rings.Receive.TryArmEvents());
        Assert.True(rings.Device.TryDeliver([2]));
        Assert.True(rings.Device.TryDeliver([3]));
        Assert.Equal(1, rings.Events);
        Assert.False(rings.Receive.TryArmEvents());
    }

    [Fact]
    public void Whoever_takes_a_buffer_keeps_it_and_the_ring_gets_another()
    {
        using var rings = new IgbRings(queueSize: 8, buffers: 10);
        var batch = new ReceivedFrame[8];
        var taken = new List<ReceivedFrame>();
        for (int i = 0; i < 3; i++)
        {
            Assert.True(rings.Device.TryDeliver([(byte)i]));
            Assert.Equal(1, rings.Receive.Receive(batch));
            bool isTaken = rings.Receive.TryTake(ref batch[0]);
            Assert.Equal(i < 2, isTaken); // The pool has two more than the ring.
            if (isTaken)
            {
                taken.Add(batch[0]);
            }

            rings.Receive.Release(batch.AsSpan(0, 1));
            Assert.Equal(isTaken ? [(byte)i] : null, isTaken ? rings.Bytes(batch[0]) : null);
        }

        for (int i = 0; i < 20; i++)
        {
            Assert.True(rings.Device.TryDeliver([0xFF]));
            Assert.Equal(1, rings.Receive.Receive(batch));
            rings.Receive.Release(batch.AsSpan(0, 1));
        }

        Assert.Equal([0, 1], taken.Select(frame => rings.Bytes(frame)[0]));
    }

    [Theory]
    [InlineData(VirtioFeatures.NetGuestChecksum, Checked, true)]
    [InlineData(VirtioFeatures.NetGuestChecksum, IgbReceiveDescriptor.UdpChecked, true)]
    [InlineData(VirtioFeatures.NetGuestChecksum, Checked | IgbReceiveDescriptor.IpChecked, true)]
    [InlineData(VirtioFeatures.NetGuestChecksum, 0ul, false)]
    [InlineData(VirtioFeatures.NetGuestChecksum, IgbReceiveDescriptor.IpChecked, false)]
    [InlineData(VirtioFeatures.NetGuestChecksum, Checked | IgbReceiveDescriptor.TransportError, false)]
    [InlineData(VirtioFeatures.NetGuestChecksum, Checked | IgbReceiveDescriptor.IpError, false)]
    [InlineData(VirtioFeatures.NetGuestChecksum, Checked | IgbReceiveDescriptor.IgnoreChecksum, false)]
    [InlineData(VirtioFeatures.None, Checked, false)] // Nobody asked it.
    public void The_device_vouches_for_a_checksum_where_it_has_looked_at_it_and_found_no_fault(VirtioFeatures features, ulong status, bool isGood)
    {
        using var rings = new IgbRings(features: features);
        var batch = new ReceivedFrame[1];
        Assert.True(rings.Device.TryDeliver([1, 2, 3], status));
        Assert.Equal(1, rings.Receive.Receive(batch));
        Assert.Equal(isGood, (batch[0].Offload & ReceiveOffload.ChecksumGood) != 0);
        Assert.Equal(0, batch[0].Offload & ReceiveOffload.ChecksumPartial);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2048)]
    public void The_shortest_and_the_longest_frame_are_taken(int length)
    {
        using var rings = new IgbRings();
        var batch = new ReceivedFrame[1];
        byte[] frame = new byte[length];
        new Random(length).NextBytes(frame);
        for (int i = 0; i < 20; i++)
        {
            Assert.True(rings.Device.TryDeliver(frame));
            Assert.Equal(1, rings.Receive.Receive(batch));
            Assert.Equal(frame, rings.Bytes(batch[0]));
            rings.Receive.Release(batch);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2049)]
    [InlineData(65535)]
    public void A_length_that_no_buffer_has_is_a_corrupt_ring(int length)
    {
        using var rings = new IgbRings();
        rings.Device.WriteBack(IgbReceiveDescriptor.Done | IgbReceiveDescriptor.EndOfPacket | (ulong)length << IgbReceiveDescriptor.LengthShift);
        RingCorruptException error = Assert.Throws<RingCorruptException>(() => rings.Receive.Receive(new ReceivedFrame[1]));
        Assert.Contains($"length of {length} ", error.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_frame_in_several_buffers_is_dropped_and_counted_once_also_where_it_comes_in_parts()
    {
        using var rings = new IgbRings(queueSize: 16, buffers: 20);
        var batch = new ReceivedFrame[8];
        Assert.True(rings.Device.TryDeliver(new byte[5000]));
        Assert.True(rings.Device.TryDeliver([7]));
        Assert.Equal(1, rings.Receive.Receive(batch));
        Assert.Equal([7], rings.Bytes(batch[0]));
        rings.Receive.Release(batch.AsSpan(0, 1));
        Assert.Equal(1, rings.Counters[DropReason.FrameTooLong]);

        rings.Device.WriteBack(IgbReceiveDescriptor.Done | 2048ul << IgbReceiveDescriptor.LengthShift);
        Assert.Equal(0, rings.Receive.Receive(batch));
        Assert.True(rings.Device.TryDeliver([8]));
        Assert.Equal(0, rings.Receive.Receive(batch)); // The rest of the other.
        Assert.True(rings.Device.TryDeliver([9]));
        Assert.Equal(1, rings.Receive.Receive(batch));
        Assert.Equal([9], rings.Bytes(batch[0]));
        rings.Receive.Release(batch.AsSpan(0, 1));
        Assert.Equal(2, rings.Counters[DropReason.FrameTooLong]);
        Assert.True(rings.Receive.TryArmEvents());
        Assert.Equal(15, rings.Device.Room);
        Assert.Equal(4, rings.Pool.FreeCount);
    }

    [Fact]
    public void A_damaged_frame_is_dropped_and_counted_as_FrameDamaged()
    {
        using var rings = new IgbRings();
        var batch = new ReceivedFrame[8];
        Assert.True(rings.Device.TryDeliver([1], IgbReceiveDescriptor.ReceiveError));
        Assert.True(rings.Device.TryDeliver([2]));
        Assert.Equal(1, rings.Receive.Receive(batch));
        Assert.Equal([2], rings.Bytes(batch[0]));
        rings.Receive.Release(batch.AsSpan(0, 1));
        Assert.Equal(1, rings.Counters[DropReason.FrameDamaged]);
    }

    [Fact]
    public void A_device_that_says_done_of_descriptors_that_it_does_not_have_gets_no_buffer_twice()
    {
        using var rings = new IgbRings(queueSize: 8, buffers: 16);
        for (int i = 0; i < 8; i++)
        {
            rings.Device.WriteBack(IgbReceiveDescriptor.Done | IgbReceiveDescriptor.EndOfPacket | 60ul << IgbReceiveDescriptor.LengthShift);
        }

        var batch = new ReceivedFrame[64];
        Assert.Equal(7, rings.Receive.Receive(batch));
        Assert.Equal(0, rings.Receive.Receive(batch.AsSpan(7)));
        Assert.Equal(7, batch.Take(7).Select(static frame => frame.Buffer.Index).Distinct().Count());
        rings.Receive.Release(batch.AsSpan(0, 7));
        Assert.Equal(1, rings.Receive.Receive(batch));
        rings.Receive.Release(batch.AsSpan(0, 1));
        Assert.Equal(8, rings.Pool.FreeCount);
    }

    [Fact]
    public void A_pool_without_buffers_for_all_descriptors_is_refused() =>
        Assert.Throws<InvalidGrantException>(() => new IgbRings(queueSize: 16, buffers: 15));
}
