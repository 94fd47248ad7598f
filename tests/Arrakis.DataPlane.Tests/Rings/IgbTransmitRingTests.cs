using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings;

public sealed class IgbTransmitRingTests
{
    [Fact]
    public void Nothing_is_seen_before_the_flush_and_the_tail_is_written_once_for_all()
    {
        using var rings = new IgbRings();
        Assert.True(rings.TryPost([1, 2, 3]));
        Assert.True(rings.TryPost([4]));
        Assert.Equal(0u, rings.TransmitTail);
        rings.Transmit.Flush();
        Assert.Equal(2u, rings.TransmitTail);
        rings.TransmitTail = 0xFF;
        rings.Transmit.Flush(); // Nothing new: the register is left alone.
        Assert.Equal(0xFFu, rings.TransmitTail);
        rings.Transmit.RingDoorbell();
        Assert.Equal([1, 2, 3], rings.Device.TryTake());
        Assert.Equal([4], rings.Device.TryTake());
        Assert.Null(rings.Device.TryTake());
    }

    [Theory]
    [InlineData(VirtioFeatures.None, 7)]
    [InlineData(VirtioFeatures.NetChecksum, 6)] // One more was the context's.
    public void A_ring_takes_so_many_frames_that_it_is_never_full(VirtioFeatures features, int frames)
    {
        using var rings = new IgbRings(queueSize: 8, buffers: 32, features);
        for (int round = 0; round < 10; round++)
        {
            Assert.False(rings.Transmit.HasOutstanding);
            for (int i = 0; i < frames; i++)
            {
                Assert.True(rings.TryPost([(byte)i]));
            }

            Assert.False(rings.TryPost([9]));
            Assert.Equal(0, rings.Transmit.FreeCount);
            rings.Transmit.Flush();
            Assert.Equal(0, rings.Transmit.Reclaim());
            for (int i = 0; i < frames; i++)
            {
                Assert.Equal([(byte)i], rings.Device.TryTake()!);
            }

            Assert.True(rings.Transmit.HasOutstanding);
            Assert.Equal(frames, rings.Transmit.Reclaim());
            Assert.Equal(32 - 8, rings.Pool.FreeCount);
        }
    }

    [Fact]
    public void A_report_is_asked_for_each_batch_and_within_a_long_one()
    {
        using var rings = new IgbRings(queueSize: 256, buffers: 512);
        for (int i = 0; i < 100; i++)
        {
            Assert.True(rings.TryPost([(byte)i]));
        }

        rings.Transmit.Flush();
        for (int i = 0; i < 40; i++)
        {
            Assert.Equal([(byte)i], rings.Device.TryTake()!);
        }

        Assert.Equal(32, rings.Transmit.Reclaim());
        while (rings.Device.TryTake() is not null)
        {
        }

        Assert.Equal(68, rings.Transmit.Reclaim());
        Assert.Equal(32, rings.Device.MostUnreported);
        Assert.False(rings.Transmit.HasOutstanding);
    }

    [Fact]
    public void A_device_that_does_not_report_gets_no_buffer_back()
    {
        using var rings = new IgbRings();
        Assert.True(rings.TryPost([1]));
        rings.Transmit.Flush();
        Assert.Equal(1, rings.Device.TryTake(new byte[10], reports: false));
        Assert.Equal(0, rings.Transmit.Reclaim());
        Assert.True(rings.Transmit.TryArmEvents());
        Assert.True(rings.Transmit.HasOutstanding);
    }

    [Fact]
    public void A_frame_in_several_buffers_goes_out_as_one_and_comes_back_as_one()
    {
        using var rings = new IgbRings(queueSize: 8, buffers: 32);
        for (int round = 0; round < 20; round++)
        {
            TransmitSegment[] segments =
            [
                new(rings.Rent([1, 2]), BufferLayout.FrameOffset, 2),
                new(rings.Rent([0, 0, 3]), BufferLayout.FrameOffset + 2, 1),
                new(rings.Rent([4, 5, 6]), BufferLayout.FrameOffset, 3),
            ];
            Assert.True(rings.Transmit.TryPost(segments, null));
            Assert.True(rings.TryPost([7]));
            Assert.Equal(3, rings.Transmit.FreeCount);
            rings.Transmit.Flush();
            Assert.Equal([1, 2, 3, 4, 5, 6], rings.Device.TryTake());
            Assert.Equal([7], rings.Device.TryTake());
            Assert.Equal(2, rings.Transmit.Reclaim());
            Assert.Equal(24, rings.Pool.FreeCount);
            Assert.Equal(7, rings.Transmit.FreeCount);
        }
    }

    [Fact]
    public void The_device_fills_checksums_in_after_one_context_for_all()
    {
        using var rings = new IgbRings(queueSize: 8, buffers: 16, VirtioFeatures.NetChecksum);
        (byte[] good, byte[] partial) = PartialDatagram();
        Assert.NotEqual(good, partial);
        for (int i = 0; i < 50; i++)
        {
            Assert.True(rings.TryPost(partial, TransmitOffload.UdpOverIpv4));
            Assert.True(rings.TryPost(partial));
            rings.Transmit.Flush();
            Assert.Equal(good, rings.Device.TryTake());
            Assert.Equal(partial, rings.Device.TryTake());
            Assert.Equal(2, rings.Transmit.Reclaim());
        }

        Assert.Equal(1, rings.Device.Contexts);
        Assert.Equal(50, rings.Device.Offloaded);
    }

    [Fact]
    public void A_checksum_in_the_first_of_several_buffers_is_filled_in_too()
    {
        using var rings = new IgbRings(queueSize: 8, buffers: 16, VirtioFeatures.NetChecksum);
        (byte[] good, byte[] partial) = PartialDatagram();
        TransmitSegment[] segments =
        [
            new(rings.Rent(partial.AsSpan(0, 42)), BufferLayout.FrameOffset, 42),
            new(rings.Rent(partial.AsSpan(42)), BufferLayout.FrameOffset, partial.Length - 42),
        ];
        Assert.True(rings.Transmit.TryPost(segments, TransmitOffload.UdpOverIpv4));
        rings.Transmit.Flush();
        Assert.Equal(good, rings.Device.TryTake());
        Assert.Equal(1, rings.Device.Offloaded);
    }

    [Fact]
    public void What_the_device_cannot_do_is_refused_and_the_buffer_stays_the_callers()
    {
        using var plain = new IgbRings();
        using var rings = new IgbRings(features: VirtioFeatures.NetChecksum);
        byte[] frame = new byte[100];
        PacketBuffer other = plain.Rent(frame);
        Assert.Throws<InvalidOperationException>(() => plain.Transmit.TryPost(other, 0, 100, TransmitOffload.UdpOverIpv4));
        plain.Pool.Return(other);
        PacketBuffer buffer = rings.Rent(frame);
        Assert.Throws<InvalidOperationException>(() => rings.Transmit.TryPost(buffer, 0, 100, new TransmitOffload(38, UdpView.ChecksumOffset)));
        Assert.Throws<InvalidOperationException>(() => rings.Transmit.TryPost(buffer, 0, 100, new TransmitOffload(34, 16)));
        Assert.Throws<InvalidOperationException>(() => rings.Transmit.TryPost([new(buffer, 64, 100)], new TransmitOffload(38, 6)));
        rings.Pool.Return(buffer);
        Assert.False(rings.Transmit.HasOutstanding);
    }

    [Fact]
    public void An_event_comes_with_the_next_report_and_no_sleep_begins_where_one_waits()
    {
        using var rings = new IgbRings();
        Assert.True(rings.TryPost([1]));
        rings.Transmit.Flush();
        Assert.True(rings.Transmit.TryArmEvents());
        Assert.NotNull(rings.Device.TryTake());
        Assert.Equal(1, rings.Events);
        Assert.False(rings.Transmit.TryArmEvents());
        Assert.Equal(1, rings.Transmit.Reclaim());
        Assert.True(rings.Transmit.TryArmEvents());
    }

    [Fact]
    public void A_posted_buffer_is_no_longer_its_senders()
    {
        using var rings = new IgbRings();
        PacketBuffer buffer = rings.Rent([1]);
        Assert.True(rings.Transmit.TryPost(buffer, 0, 1));
        Assert.Throws<InvalidOperationException>(() => rings.Transmit.TryPost(buffer, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => rings.Transmit.TryPost(rings.Rent([1]), 0, 2049));
        rings.Transmit.Flush();
        Assert.Equal([1], rings.Device.TryTake());
        Assert.Null(rings.Device.TryTake());
    }

    // A datagram as it has to arrive, and as it is handed to a device that makes its checksum.
    private static (byte[] Good, byte[] Partial) PartialDatagram()
    {
        byte[] good = TestFrames.Udp(9, 7, new byte[501]);
        byte[] partial = [.. good];
        UdpView.WritePartial(partial.AsSpan(34), good.Length - 34, TestFrames.PeerAddress, 9, TestFrames.OwnAddress, 7);
        return (good, partial);
    }
}
