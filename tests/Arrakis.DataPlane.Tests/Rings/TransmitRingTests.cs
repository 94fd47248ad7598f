using System.Buffers.Binary;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings;

public sealed class TransmitRingTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(256)]
    public void Frames_go_in_order_and_whole_when_all_indices_wrap(int queueSize)
    {
        using var rings = new TestRings(queueSize, queueSize * 3);
        var frame = new byte[60];
        uint posted = 0;
        uint taken = 0;
        while (taken < 70_000)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(frame, posted);
            while (rings.TryPost(frame.AsSpan(0, 4 + (int)(posted % 50))))
            {
                BinaryPrimitives.WriteUInt32LittleEndian(frame, ++posted);
            }

            rings.Transmit.Flush();
            for (int i = 0; i < queueSize; i++)
            {
                byte[]? sent = rings.Device.TryTakeSent();
                Assert.NotNull(sent);
                Assert.Equal(4 + (int)(taken % 50), sent.Length);
                Assert.Equal(taken++, BinaryPrimitives.ReadUInt32LittleEndian(sent));
            }

            Assert.Null(rings.Device.TryTakeSent());
            Assert.Equal(queueSize, rings.Transmit.Reclaim());
        }
    }

    [Fact]
    public void A_full_ring_leaves_the_buffer_with_its_owner()
    {
        using var rings = new TestRings(queueSize: 4);
        for (int i = 0; i < 4; i++)
        {
            Assert.True(rings.TryPost([1]));
        }

        Assert.Equal(0, rings.Transmit.FreeCount);
        Assert.True(rings.Pool.TryRent(out PacketBuffer buffer));
        Assert.False(rings.Transmit.TryPost(buffer, 0, 10));
        rings.Pool.Return(buffer);
    }

    [Fact]
    public void The_device_sees_nothing_before_the_flush()
    {
        using var rings = new TestRings();
        Assert.True(rings.TryPost([1]));
        Assert.Null(rings.Device.TryTakeSent());
        rings.Transmit.Flush();
        Assert.Equal([1], rings.Device.TryTakeSent());
        Assert.True(rings.Transmit.HasOutstanding);
        Assert.Equal(1, rings.Transmit.Reclaim());
        Assert.False(rings.Transmit.HasOutstanding);
    }

    [Fact]
    public void The_virtio_header_asks_for_nothing_whatever_was_in_the_buffer()
    {
        using var rings = new TestRings();
        Assert.True(rings.TryPost([7]));
        rings.Transmit.Flush();
        int id = rings.Device.AvailableEntry(HostileWrites.TransmitQueue, 0);
        byte[] bytes = rings.Device.BytesOf(HostileWrites.TransmitQueue, id, VirtioNetHeader.Length + 1);
        Assert.Equal(new byte[VirtioNetHeader.BufferCountOffset], bytes[..VirtioNetHeader.BufferCountOffset]);
        Assert.Equal(7, bytes[VirtioNetHeader.Length]);
    }

    [Fact]
    public void A_posted_buffer_is_no_longer_its_owners()
    {
        using var rings = new TestRings();
        Assert.True(rings.Pool.TryRent(out PacketBuffer buffer));
        Assert.True(rings.Transmit.TryPost(buffer, 0, 10));
        Assert.Throws<InvalidOperationException>(() => rings.Pool.Return(buffer));
        Assert.Throws<InvalidOperationException>(() => rings.Transmit.TryPost(buffer, 0, 10));
        Assert.Throws<InvalidOperationException>(() => rings.Pool.Bytes(buffer, 0, 1).Length);
    }

    [Fact]
    public void Buffers_come_back_to_the_pool_only_when_the_device_has_sent_them()
    {
        using var rings = new TestRings(queueSize: 4);
        int free = rings.Pool.FreeCount;
        Assert.True(rings.TryPost([1]));
        Assert.True(rings.TryPost([2]));
        rings.Transmit.Flush();
        Assert.Equal(0, rings.Transmit.Reclaim());
        Assert.NotNull(rings.Device.TryTakeSent());
        Assert.Equal(1, rings.Transmit.Reclaim());
        Assert.Equal(free - 1, rings.Pool.FreeCount);
        Assert.NotNull(rings.Device.TryTakeSent());
        Assert.Equal(1, rings.Transmit.Reclaim());
        Assert.Equal(free, rings.Pool.FreeCount);
    }

    [Fact]
    public void The_doorbell_rings_only_at_a_flush_and_while_the_device_asks_for_it()
    {
        using var rings = new TestRings();
        Assert.True(rings.TryPost([1]));
        rings.Transmit.Flush();
        Assert.False(rings.Device.TransmitKick.TryDrain());
        rings.Device.FromDriver.RequestNotification(true);
        Assert.True(rings.TryPost([1]));
        Assert.False(rings.Device.TransmitKick.TryDrain());
        rings.Transmit.Flush();
        Assert.True(rings.Device.TransmitKick.TryDrain());
        rings.Transmit.Flush();
        Assert.False(rings.Device.TransmitKick.TryDrain());
    }

    [Fact]
    public void Events_are_armed_only_while_there_is_nothing_to_reclaim()
    {
        using var rings = new TestRings();
        Assert.True(rings.TryPost([1]));
        rings.Transmit.Flush();
        Assert.True(rings.Transmit.TryArmEvents());
        Assert.True(rings.Device.FromDriver.DriverWantsEvent);
        rings.Transmit.DisarmEvents();
        Assert.NotNull(rings.Device.TryTakeSent());
        Assert.False(rings.Transmit.TryArmEvents());
        Assert.False(rings.Device.FromDriver.DriverWantsEvent);
        Assert.Equal(1, rings.Transmit.Reclaim());
        Assert.True(rings.Transmit.TryArmEvents());
    }
}
