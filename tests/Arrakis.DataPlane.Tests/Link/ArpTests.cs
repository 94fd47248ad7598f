using Arrakis.DataPlane.Link;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using Microsoft.Extensions.Time.Testing;

namespace Arrakis.DataPlane.Tests.Link;

/// <summary>Answering and learning (RFC 826, RFC 5227).</summary>
public sealed class ArpTests : IAsyncDisposable
{
    private static readonly MacAddress s_liar = MacAddress.Parse("52:54:00:00:00:66");
    private static readonly UdpEndPoint s_peer = new(TestFrames.PeerAddress, 9);

    private readonly FakeTimeProvider _time = new();
    private readonly TestDevice _device = new();
    private readonly NicBinding _nic;

    public ArpTests()
    {
        _nic = _device.Bind(time: _time);
        Poll();
        _ = _device.TakeSent(); // The announcement.
    }

    [Fact]
    public async Task The_address_is_announced_when_the_link_comes_up_and_each_time_it_comes_back()
    {
        using var device = new TestDevice();
        device.SetLink(false, 0);
        await using NicBinding nic = device.Bind();
        _ = nic.PollOnce(Ignore);
        Assert.Null(device.TryTakeSent());
        Assert.False(nic.LinkUp);
        for (uint epoch = 0; epoch < 3; epoch++)
        {
            device.SetLink(true, epoch);
            _ = nic.PollOnce(Ignore);
            Assert.True(nic.LinkUp);
            (EthernetHeader header, ArpFields arp) = Read(device.TakeSent());
            Assert.Equal(new EthernetHeader(MacAddress.Broadcast, TestFrames.OwnMac), header);
            Assert.Equal(new ArpFields(ArpOperation.Request, TestFrames.OwnMac, TestFrames.OwnAddress, default, TestFrames.OwnAddress), arp);
            _ = nic.PollOnce(Ignore);
            Assert.Null(device.TryTakeSent());
            device.SetLink(false, epoch + 1);
            _ = nic.PollOnce(Ignore);
            Assert.Null(device.TryTakeSent());
        }
    }

    [Fact]
    public void A_link_that_went_down_and_up_between_two_polls_is_announced_and_both_doorbells_ring()
    {
        _ = _device.ReceiveKick.TryDrain();
        _ = _device.TransmitKick.TryDrain();
        _device.SetLink(true, 1);
        Poll();
        Assert.True(TestFrames.IsArp(_device.TakeSent()));
        Assert.True(_device.ReceiveKick.TryDrain());
        Assert.True(_device.TransmitKick.TryDrain());
    }

    [Fact]
    public void A_question_for_this_host_is_answered_to_who_asks()
    {
        _device.Deliver(Request(TestFrames.OwnAddress).To(MacAddress.Broadcast));
        Poll();
        (EthernetHeader header, ArpFields arp) = Read(_device.TakeSent());
        Assert.Equal(new EthernetHeader(TestFrames.PeerMac, TestFrames.OwnMac), header);
        Assert.Equal(new ArpFields(ArpOperation.Reply, TestFrames.OwnMac, TestFrames.OwnAddress, TestFrames.PeerMac, TestFrames.PeerAddress), arp);
        Assert.Equal(1, _nic.Counters.ArpPackets);
    }

    [Fact]
    public void A_probe_is_answered_and_teaches_nothing()
    {
        _device.Deliver(TestFrames.Arp(ArpOperation.Request, TestFrames.OwnAddress, TestFrames.PeerMac, Ipv4Address.Any).To(MacAddress.Broadcast));
        Poll();
        (_, ArpFields arp) = Read(_device.TakeSent());
        Assert.Equal(ArpOperation.Reply, arp.Operation);
        Assert.Equal(TestFrames.OwnMac, arp.SenderMac);
    }

    [Theory]
    [InlineData("10.7.0.3")]
    [InlineData("10.7.0.255")]
    public void A_question_for_another_host_is_not_answered(string target)
    {
        _device.Deliver(Request(Ipv4Address.Parse(target)).To(MacAddress.Broadcast));
        Poll();
        Assert.Null(_device.TryTakeSent());
        Assert.False(Knows(TestFrames.PeerMac));
    }

    [Fact]
    public void A_reply_is_never_answered()
    {
        _device.Deliver(TestFrames.Arp(ArpOperation.Reply, TestFrames.OwnAddress, TestFrames.PeerMac, TestFrames.PeerAddress));
        Poll();
        Assert.Null(_device.TryTakeSent());
    }

    [Fact]
    public void Frames_of_its_own_that_come_back_are_not_answered()
    {
        _device.Deliver(TestFrames.Arp(ArpOperation.Request, TestFrames.OwnAddress, TestFrames.OwnMac, TestFrames.OwnAddress).To(MacAddress.Broadcast));
        Poll();
        Assert.Null(_device.TryTakeSent());
    }

    [Fact]
    public void Who_asks_for_this_host_is_learnt()
    {
        _device.Deliver(Request(TestFrames.OwnAddress));
        Poll();
        _ = _device.TakeSent();
        Assert.True(Knows(TestFrames.PeerMac));
    }

    [Fact]
    public void An_answer_that_nobody_asked_for_teaches_nothing()
    {
        _device.Deliver(Reply(s_liar));
        Poll();
        Assert.False(Knows(s_liar));
    }

    [Fact]
    public void An_answer_that_nobody_asked_for_does_not_change_what_is_known()
    {
        Assert.False(Knows(TestFrames.PeerMac)); // Asks.
        _device.Deliver(Reply(TestFrames.PeerMac));
        Poll();
        Assert.Equal(TestFrames.PeerMac, Destination(_device.TakeSent()));
        _device.Deliver(Reply(s_liar));
        Poll();
        Assert.True(Knows(TestFrames.PeerMac));
    }

    [Fact]
    public void An_announcement_changes_what_is_known_but_adds_nothing()
    {
        byte[] announcement = TestFrames.Arp(ArpOperation.Request, TestFrames.PeerAddress, s_liar, TestFrames.PeerAddress).To(MacAddress.Broadcast);
        _device.Deliver(announcement);
        Poll();
        Assert.False(Knows(s_liar));
        _device.Deliver(Reply(TestFrames.PeerMac));
        Poll();
        _ = _device.TakeSent();
        _device.Deliver(announcement);
        Poll();
        Assert.True(Knows(s_liar));
    }

    [Theory]
    [InlineData("192.168.1.1")]
    [InlineData("224.0.0.1")]
    [InlineData("127.0.0.1")]
    public void Senders_that_are_no_neighbours_are_answered_but_do_not_fill_the_table(string sender)
    {
        _device.Deliver(TestFrames.Arp(ArpOperation.Request, TestFrames.OwnAddress, TestFrames.PeerMac, Ipv4Address.Parse(sender)));
        Poll();
        _ = _device.TakeSent();
        Assert.False(Knows(TestFrames.PeerMac));
    }

    [Theory]
    [InlineData("ff:ff:ff:ff:ff:ff")]
    [InlineData("01:00:5e:00:00:01")]
    [InlineData("00:00:00:00:00:00")]
    public void A_hardware_address_that_is_no_stations_is_not_learnt(string mac)
    {
        Assert.False(Knows(TestFrames.PeerMac));
        _device.Deliver(Reply(MacAddress.Parse(mac)));
        Poll();
        Assert.Null(_device.TryTakeSent());
    }

    [Fact]
    public void A_flood_of_strangers_does_not_wash_out_who_is_waited_for()
    {
        Assert.False(Knows(TestFrames.PeerMac)); // A datagram waits for the answer.
        for (int i = 0; i < 2000; i++)
        {
            _device.Deliver(TestFrames.Arp(ArpOperation.Request, TestFrames.OwnAddress, s_liar, new Ipv4Address(0x0A07_0000u + (uint)(10 + i % 240))));
            Poll();
            _ = _device.TryTakeSent();
        }

        _device.Deliver(Reply(TestFrames.PeerMac));
        Poll();
        Assert.Equal(TestFrames.PeerMac, Destination(_device.TakeSent()));
    }

    [Fact]
    public void What_is_known_is_asked_again_before_it_expires_and_no_datagram_waits()
    {
        _device.Deliver(Request(TestFrames.OwnAddress));
        Poll();
        _ = _device.TakeSent();
        _time.Advance(TimeSpan.FromTicks((ArpProtocol.Lifetime - ArpProtocol.RefreshBefore) / 100 + 1));
        PollUntilClock();
        Send();
        (EthernetHeader asked, ArpFields arp) = Read(_device.TakeSent());
        Assert.Equal(MacAddress.Broadcast, asked.Destination);
        Assert.Equal(TestFrames.PeerAddress, arp.TargetAddress);
        Assert.Equal(TestFrames.PeerMac, Destination(_device.TakeSent()));
        Send(); // No second question within a second.
        Assert.Equal(TestFrames.PeerMac, Destination(_device.TakeSent()));
        _device.Deliver(Reply(s_liar)); // The answer: the neighbour has a new hardware address.
        Poll();
        Assert.True(Knows(s_liar));
    }

    [Fact]
    public void What_is_known_expires()
    {
        _device.Deliver(Request(TestFrames.OwnAddress));
        Poll();
        _ = _device.TakeSent();
        _time.Advance(TimeSpan.FromTicks(ArpProtocol.Lifetime / 100 + 1));
        PollUntilClock();
        Assert.False(Knows(TestFrames.PeerMac));
    }

    public async ValueTask DisposeAsync()
    {
        await _nic.DisposeAsync();
        _device.Dispose();
    }

    private static byte[] Request(Ipv4Address target) => TestFrames.Arp(ArpOperation.Request, target, TestFrames.PeerMac, TestFrames.PeerAddress);

    private static byte[] Reply(MacAddress mac) => TestFrames.Arp(ArpOperation.Reply, TestFrames.OwnAddress, mac, TestFrames.PeerAddress);

    private static MacAddress Destination(byte[] frame)
    {
        Assert.False(TestFrames.IsArp(frame));
        return MacAddress.Read(frame);
    }

    private static void Ignore(PacketBatch received, TransmitQueue transmit)
    {
    }

    private static (EthernetHeader Header, ArpFields Arp) Read(byte[] frame)
    {
        Assert.Equal(FrameError.None, EthernetView.TryParse(frame, out EthernetView ethernet));
        Assert.Equal(EtherType.Arp, ethernet.Type);
        Assert.Equal(FrameError.None, ArpView.TryParse(ethernet.Payload, out ArpView arp));
        return (
            new EthernetHeader(ethernet.Destination, ethernet.Source),
            new ArpFields(arp.Operation, arp.SenderMac, arp.SenderAddress, arp.TargetMac, arp.TargetAddress));
    }

    private void Poll() => _nic.PollOnce(Ignore);

    private void PollUntilClock()
    {
        for (int i = 0; i < 64; i++)
        {
            Poll();
        }
    }

    private void Send()
    {
        // A handler is the place to send from: a datagram to nobody's port brings one about.
        _device.Deliver(TestFrames.Udp(1, 1, "x"u8));
        _ = _nic.PollOnce(static (_, transmit) => Assert.True(transmit.TrySend(5, s_peer, "out"u8)));
    }

    /// <summary>Sends a datagram: whether it goes at once, to this hardware address. If not, a question for the peer goes.</summary>
    private bool Knows(MacAddress mac)
    {
        Send();
        byte[] frame = _device.TakeSent();
        if (TestFrames.IsArp(frame))
        {
            Assert.Equal(TestFrames.PeerAddress, Read(frame).Arp.TargetAddress);
            return false;
        }

        Assert.Equal(mac, MacAddress.Read(frame));
        return true;
    }

    private sealed record EthernetHeader(MacAddress Destination, MacAddress Source);

    private sealed record ArpFields(ArpOperation Operation, MacAddress SenderMac, Ipv4Address Sender, MacAddress TargetMac, Ipv4Address TargetAddress);
}
