using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using Microsoft.Extensions.Time.Testing;

namespace Arrakis.DataPlane.Tests.Link;

/// <summary>Neighbours of a binding with several queues: whichever asks, the answer comes to the first.</summary>
public sealed class SharedNeighbourTests : IAsyncDisposable
{
    private const int Pairs = 3;

    private static readonly UdpEndPoint s_peer = new(TestFrames.PeerAddress, 9);

    private readonly FakeTimeProvider _time = new();
    private readonly TestDevice _device = new(pairs: Pairs);
    private readonly NicBinding _nic;

    public SharedNeighbourTests()
    {
        _nic = _device.Bind(time: _time);
        PollAll();
        _ = Sent(0);
    }

    [Fact]
    public async Task Only_the_first_queue_announces_the_address_and_each_rings_its_doorbells()
    {
        using var device = new TestDevice(pairs: Pairs);
        await using NicBinding nic = device.Bind();
        foreach (NicQueue queue in nic.Queues)
        {
            _ = queue.PollOnce(static (_, _) => { });
        }

        Assert.True(TestFrames.IsArp(device.TryTakeSent(0)!));
        Assert.All(Enumerable.Range(0, Pairs), pair => Assert.Null(device.TryTakeSent(pair)));
        Assert.All(device.Kicks, static kick => Assert.True(kick.TryDrain()));
    }

    [Fact]
    public void A_frame_that_waits_on_one_queue_goes_when_the_answer_has_come_to_another()
    {
        Send(2, 1);
        byte[] request = Assert.Single(Sent(2));
        Assert.True(_device.TryDeliver(TestFrames.AnswerArp(request)!));
        _ = _nic.Queues[0].PollOnce(Ignore);
        Assert.Empty(Sent(2));

        Poll(2);

        byte[] frame = Assert.Single(Sent(2));
        Assert.Equal((5, 9, 1), (TestFrames.ReadUdp(frame).SourcePort, TestFrames.ReadUdp(frame).DestinationPort, TestFrames.ReadUdp(frame).Payload[0]));
        Assert.Equal(TestFrames.PeerMac, MacAddress.Read(frame));
    }

    [Fact]
    public void What_one_queue_knows_another_need_not_ask_for()
    {
        Send(0, 1);
        Assert.True(_device.TryDeliver(TestFrames.AnswerArp(Assert.Single(Sent(0)))!));
        _ = _nic.Queues[0].PollOnce(Ignore);
        Assert.Single(Sent(0));

        Send(1, 2);

        Assert.Equal(2, TestFrames.ReadUdp(Assert.Single(Sent(1))).Payload[0]);
    }

    [Fact]
    public void Queues_that_wait_for_the_same_neighbour_ask_once_a_second_in_all()
    {
        int requests = 0;
        for (int tenths = 0; tenths < 20; tenths++)
        {
            for (int queue = 0; queue < Pairs; queue++)
            {
                Send(queue, (byte)tenths);
                Poll(queue);
                requests += Sent(queue).Count;
            }

            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.Equal(2, requests);
    }

    [Fact]
    public void A_neighbour_that_moves_is_found_at_its_new_station_by_all_queues()
    {
        Resolve();
        var moved = MacAddress.Parse("52:54:00:00:00:99");
        Assert.True(_device.TryDeliver(TestFrames.Arp(ArpOperation.Request, TestFrames.PeerAddress, moved, TestFrames.PeerAddress)));
        _ = _nic.Queues[0].PollOnce(Ignore);
        for (int queue = 0; queue < Pairs; queue++)
        {
            Poll(queue);
            Send(queue, 7);
            Assert.Equal(moved, MacAddress.Read(Assert.Single(Sent(queue))));
        }
    }

    [Fact]
    public void An_answer_that_no_queue_has_asked_for_is_not_believed()
    {
        Resolve();
        var liar = MacAddress.Parse("52:54:00:00:00:66");
        Assert.True(_device.TryDeliver(TestFrames.Arp(ArpOperation.Reply, TestFrames.OwnAddress, liar, TestFrames.PeerAddress)));
        Assert.True(_device.TryDeliver(TestFrames.Arp(ArpOperation.Reply, TestFrames.OwnAddress, liar, Ipv4Address.Parse("10.7.0.50"))));
        PollAll();
        for (int queue = 0; queue < Pairs; queue++)
        {
            Send(queue, 7);
            Assert.Equal(TestFrames.PeerMac, MacAddress.Read(Assert.Single(Sent(queue))));
        }

        Send(1, 8, Ipv4Address.Parse("10.7.0.50"));
        Assert.True(TestFrames.IsArp(Assert.Single(Sent(1))));
    }

    [Fact]
    public void A_queue_whose_neighbour_never_answers_gives_its_frames_back()
    {
        Send(1, 1);
        for (int tenths = 0; tenths < 50; tenths++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            PollAll();
        }

        Assert.Equal((1, 1), (_nic.Queues[1].Counters[DropReason.NeighbourUnreachable], _nic.Counters[DropReason.NeighbourUnreachable]));
        Assert.Equal(3, Sent(1).Count(TestFrames.IsArp));
    }

    public async ValueTask DisposeAsync()
    {
        await _nic.DisposeAsync();
        _device.Dispose();
    }

    private static void Ignore(PacketBatch received, TransmitQueue transmit)
    {
    }

    /// <summary>All queues know the neighbour.</summary>
    private void Resolve()
    {
        for (int queue = 0; queue < Pairs; queue++)
        {
            Send(queue, 1);
        }

        Assert.True(_device.TryDeliver(TestFrames.AnswerArp(Sent(0)[0])!));
        PollAll();
        for (int queue = 0; queue < Pairs; queue++)
        {
            Assert.NotEmpty(Sent(queue));
        }
    }

    private void PollAll()
    {
        for (int queue = 0; queue < Pairs; queue++)
        {
            Poll(queue);
        }
    }

    // The clock is looked at now and then only.
    private void Poll(int queue)
    {
        for (int i = 0; i < 64; i++)
        {
            _ = _nic.Queues[queue].PollOnce(Ignore);
        }
    }

    private List<byte[]> Sent(int queue)
    {
        List<byte[]> frames = [];
        while (_device.TryTakeSent(queue) is { } frame)
        {
            frames.Add(frame);
        }

        return frames;
    }

    // A handler sends: so a datagram has to come.
    private void Send(int queue, byte value, Ipv4Address? to = null)
    {
        Assert.True(_device.TryDeliver(TestFrames.Udp(1, 7, "go"u8), queue));
        Assert.Equal(1, _nic.Queues[queue].PollOnce((_, transmit) => Assert.True(transmit.TrySend(5, s_peer with { Address = to ?? s_peer.Address }, [value]))));
    }
}
