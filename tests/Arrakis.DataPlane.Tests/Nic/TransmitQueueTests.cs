using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>A transmit ring or a pool without room.</summary>
public sealed class TransmitQueueTests
{
    private const int QueueSize = 8;

    [Fact]
    public async Task What_finds_no_room_is_dropped_counted_as_TransmitRingFull_and_loses_no_buffer()
    {
        using var device = new TestDevice(QueueSize, 40);
        await using NicBinding nic = device.Bind();
        for (int round = 0; round < 200; round++)
        {
            Fill(device);
            int posted = 0;
            _ = nic.PollOnce((received, transmit) =>
            {
                foreach (Packet packet in received)
                {
                    Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
                    posted += transmit.Post(datagram.Reply()) ? 1 : 0;
                }
            });
            Assert.Equal(round switch { 0 => QueueSize - 1, 1 => 0, _ => QueueSize }, posted); // The announcement has one place at first.
            Assert.Equal(round == 0 ? 1 : QueueSize + 1, nic.Counters[DropReason.TransmitRingFull]);
            if (round > 0)
            {
                Drain(device);
            }
        }
    }

    [Fact]
    public async Task Rented_packets_that_find_no_room_are_free_again()
    {
        using var device = new TestDevice(QueueSize, 40);
        await using NicBinding nic = device.Bind();
        for (int round = 0; round < 100; round++)
        {
            device.Deliver(TestFrames.Udp(1, 7, "x"u8));
            _ = nic.PollOnce((packets, transmit) =>
            {
                for (int i = 0; i < QueueSize; i++)
                {
                    Assert.True(transmit.TryRent(60, out Packet packet));
                    _ = transmit.Post(packet);
                }
            });
        }

        Assert.NotEqual(0, nic.Counters[DropReason.TransmitRingFull]);
        Assert.Equal(0, nic.Counters[DropReason.NoBuffer]);
    }

    [Fact]
    public async Task When_all_buffers_are_rented_there_is_none_until_one_comes_back()
    {
        using var device = new TestDevice(QueueSize, QueueSize + 4);
        await using NicBinding nic = device.Bind();
        _ = nic.PollOnce(static (_, _) => { });
        Drain(device);
        device.Deliver(TestFrames.Udp(1, 7, "x"u8));
        _ = nic.PollOnce(static (packets, transmit) =>
        {
            Assert.True(transmit.TryRent(60, out Packet _)); // Reclaims the announcement's when it needs it.
            Assert.True(transmit.TryRent(60, out Packet _));
            Assert.True(transmit.TryRent(60, out Packet _));
            Assert.True(transmit.TryRent(60, out Packet last));
            Assert.False(transmit.TryRent(60, out Packet _));
            transmit.Return(last);
            Assert.True(transmit.TryRent(60, out Packet _));
        });
    }

    [Fact]
    public async Task A_long_reply_without_another_buffer_for_the_ring_is_dropped_and_counted()
    {
        using var device = new TestDevice(QueueSize, QueueSize + 2);
        await using NicBinding nic = device.Bind();
        _ = nic.PollOnce(static (_, _) => { });
        Drain(device);
        device.Deliver(TestFrames.Udp(1, 7, new byte[1000]));
        _ = nic.PollOnce(static (received, transmit) =>
        {
            Assert.True(transmit.TryRent(60, out Packet _));
            Assert.True(transmit.TryRent(60, out Packet _));
            foreach (Packet packet in received)
            {
                Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
                Assert.False(transmit.Post(datagram.Reply()));
            }
        });
        Assert.Equal(1, nic.Counters[DropReason.NoBuffer]);
    }

    private static void Fill(TestDevice device)
    {
        for (int i = 0; i < QueueSize; i++)
        {
            device.Deliver(TestFrames.Udp(1, 7, [(byte)i]));
        }
    }

    private static void Drain(TestDevice device)
    {
        while (device.TryTakeSent() is not null)
        {
        }
    }
}
