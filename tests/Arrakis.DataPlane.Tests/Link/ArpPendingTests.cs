using Arrakis.DataPlane.Link;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using Microsoft.Extensions.Time.Testing;

namespace Arrakis.DataPlane.Tests.Link;

/// <summary>Datagrams that wait for a neighbour's hardware address, in virtual time.</summary>
public sealed class ArpPendingTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly TestDevice _device = new(queueSize: 256, buffers: 1024);
    private readonly NicBinding _nic;

    public ArpPendingTests()
    {
        _nic = _device.Bind(time: _time);
        _ = _nic.PollOnce(Ignore);
        _ = _device.TakeSent();
    }

    [Fact]
    public void Datagrams_wait_for_the_answer_and_go_in_order()
    {
        for (byte i = 0; i < Neighbour.MaxPending; i++)
        {
            Send(TestFrames.PeerAddress, i);
        }

        Assert.True(TestFrames.IsArp(_device.TakeSent()));
        Assert.Null(_device.TryTakeSent()); // One question for all.
        Answer(TestFrames.PeerAddress);
        for (byte i = 0; i < Neighbour.MaxPending; i++)
        {
            byte[] frame = _device.TakeSent();
            Assert.Equal(TestFrames.PeerMac, MacAddress.Read(frame));
            Assert.Equal([i], TestFrames.ReadUdp(frame).Payload);
        }

        Assert.Null(_device.TryTakeSent());
    }

    [Fact]
    public void The_oldest_goes_when_too_many_wait_for_one_neighbour_and_is_counted_as_NeighbourQueueFull()
    {
        for (byte i = 0; i < Neighbour.MaxPending + 3; i++)
        {
            Send(TestFrames.PeerAddress, i);
        }

        Assert.Equal(3, _nic.Counters[DropReason.NeighbourQueueFull]);
        _ = _device.TakeSent();
        Answer(TestFrames.PeerAddress);
        for (byte i = 3; i < Neighbour.MaxPending + 3; i++)
        {
            Assert.Equal([i], TestFrames.ReadUdp(_device.TakeSent()).Payload);
        }
    }

    [Fact]
    public void The_newest_goes_when_too_many_wait_for_all_neighbours_together()
    {
        for (int i = 0; i < ArpProtocol.MaxPending + 5; i++)
        {
            Send(new Ipv4Address(0x0A07_0010u + (uint)i), (byte)i);
            Assert.True(TestFrames.IsArp(_device.TakeSent()));
        }

        Assert.Equal(5, _nic.Counters[DropReason.NeighbourQueueFull]);
    }

    [Fact]
    public void A_neighbour_is_asked_once_a_second_and_given_up_after_three_questions_as_NeighbourUnreachable()
    {
        Send(TestFrames.PeerAddress, 1);
        Send(TestFrames.PeerAddress, 2);
        for (int second = 0; second < ArpProtocol.MaxRequests; second++)
        {
            Assert.True(TestFrames.IsArp(_device.TakeSent()));
            Assert.Null(_device.TryTakeSent());
            Assert.Equal(0, _nic.Counters[DropReason.NeighbourUnreachable]);
            Pass(TimeSpan.FromMilliseconds(900));
            Assert.Null(_device.TryTakeSent());
            Pass(TimeSpan.FromMilliseconds(200));
        }

        Assert.Null(_device.TryTakeSent());
        Assert.Equal(2, _nic.Counters[DropReason.NeighbourUnreachable]);
        Answer(TestFrames.PeerAddress); // Too late: nobody asks any more.
        Assert.Null(_device.TryTakeSent());
        Send(TestFrames.PeerAddress, 3);
        Assert.True(TestFrames.IsArp(_device.TakeSent()));
    }

    [Fact]
    public void A_neighbour_is_asked_again_while_frames_come_at_every_poll()
    {
        Send(TestFrames.PeerAddress, 1);
        Assert.True(TestFrames.IsArp(_device.TakeSent()));
        _time.Advance(TimeSpan.FromSeconds(1.1));
        for (int i = 0; i < 128; i++)
        {
            _device.Deliver(TestFrames.Udp(1, 1, "load"u8));
            Assert.Equal(1, _nic.PollOnce(Ignore));
        }

        Assert.True(TestFrames.IsArp(_device.TakeSent()));
    }

    [Fact]
    public void Unanswered_refreshes_leave_a_waiting_datagram_its_three_questions()
    {
        _device.Deliver(TestFrames.Arp(ArpOperation.Request, TestFrames.OwnAddress, TestFrames.PeerMac, TestFrames.PeerAddress));
        _ = _nic.PollOnce(Ignore);
        _ = _device.TakeSent();
        Pass(TimeSpan.FromTicks((ArpProtocol.Lifetime - ArpProtocol.RefreshBefore) / 100 + 1));
        for (int i = 0; i < 10; i++)
        {
            Pass(TimeSpan.FromSeconds(1.1));
            Send(TestFrames.PeerAddress, 0);
            Assert.True(TestFrames.IsArp(_device.TakeSent()));
            Assert.False(TestFrames.IsArp(_device.TakeSent()));
        }

        Pass(TimeSpan.FromSeconds(15));
        Send(TestFrames.PeerAddress, 1);
        Assert.True(TestFrames.IsArp(_device.TakeSent()));
        Pass(TimeSpan.FromSeconds(1.1));
        Assert.True(TestFrames.IsArp(_device.TakeSent()));
        Answer(TestFrames.PeerAddress);
        Assert.Equal([1], TestFrames.ReadUdp(_device.TakeSent()).Payload);
    }

    [Fact]
    public void What_waited_gives_its_buffers_back_however_it_ends()
    {
        for (int round = 0; round < 3000; round++)
        {
            // Answered, given up, or pushed out in turns: 3000 datagrams with 768 buffers.
            for (byte i = 0; i < Neighbour.MaxPending + 1; i++)
            {
                Send(TestFrames.PeerAddress, i);
            }

            if (round % 2 == 0)
            {
                Answer(TestFrames.PeerAddress);
                Pass(TimeSpan.FromSeconds(61));
            }
            else
            {
                Pass(TimeSpan.FromSeconds(1.1));
                Pass(TimeSpan.FromSeconds(1.1));
                Pass(TimeSpan.FromSeconds(1.1));
            }

            while (_device.TryTakeSent() is not null)
            {
            }
        }

        Assert.Equal(0, _nic.Counters[DropReason.NoBuffer]);
        Assert.Equal(0, _nic.Counters[DropReason.TransmitRingFull]);
        Assert.Equal(3000, _nic.Counters[DropReason.NeighbourQueueFull]);
        Assert.Equal(1500 * Neighbour.MaxPending, _nic.Counters[DropReason.NeighbourUnreachable]);
    }

    public async ValueTask DisposeAsync()
    {
        await _nic.DisposeAsync();
        _device.Dispose();
    }

    private static void Ignore(PacketBatch received, TransmitQueue transmit)
    {
    }

    private void Answer(Ipv4Address who)
    {
        _device.Deliver(TestFrames.Arp(ArpOperation.Reply, TestFrames.OwnAddress, TestFrames.PeerMac, who));
        Assert.Equal(1, _nic.PollOnce(Ignore));
    }

    private void Pass(TimeSpan time)
    {
        _time.Advance(time);
        for (int i = 0; i < 64; i++)
        {
            _ = _nic.PollOnce(Ignore);
        }
    }

    private void Send(Ipv4Address to, byte value)
    {
        _device.Deliver(TestFrames.Udp(1, 1, "x"u8));
        _ = _nic.PollOnce((_, transmit) => Assert.True(transmit.TrySend(5, new UdpEndPoint(to, 9), [value])));
    }
}
