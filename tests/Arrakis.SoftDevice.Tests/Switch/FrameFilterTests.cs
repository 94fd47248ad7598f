using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.SoftDevice.Switch;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using CsCheck;

namespace Arrakis.SoftDevice.Tests.Switch;

public sealed class FrameFilterTests
{
    private static readonly MacAddress _own = DeviceUnderTest.Mac(0);
    private static readonly MacAddress _peer = DeviceUnderTest.Mac(1);
    private static readonly Ipv4Address _local = DeviceUnderTest.Address(0);
    private static readonly Ipv4Address _remote = DeviceUnderTest.Address(1);

    private static readonly Ipv4Prefix[] _networks =
        [new(_remote, 32), new(_remote, 24), new(_local, 31), new(default, 0), new(Ipv4Address.Parse("192.0.2.0"), 24)];

    [Fact]
    public void Without_a_rule_everything_passes()
    {
        var filter = new FrameFilter([]);
        foreach (byte[] frame in (byte[][])[Udp(7, 7), Frames.OfType(_peer, _own, 0x86DD), Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, _own, _own, _local, _remote)])
        {
            Assert.True(filter.MaySend(Read(frame)));
            Assert.True(filter.MayReceive(Read(frame)));
        }
    }

    [Fact]
    public void A_rule_of_one_direction_says_nothing_of_the_other()
    {
        var send = new FrameFilter([new FilterRule { Direction = FilterDirection.Send }]);
        Assert.True(send.MaySend(Read(Udp(7, 8))));
        Assert.False(send.MayReceive(Read(Udp(7, 8))));
        var receive = new FrameFilter([new FilterRule { Direction = FilterDirection.Receive }]);
        Assert.False(receive.MaySend(Read(Udp(7, 8))));
        Assert.True(receive.MayReceive(Read(Udp(7, 8))));
        var neither = new FrameFilter([new FilterRule { Direction = FilterDirection.None }]);
        Assert.False(neither.MaySend(Read(Udp(7, 8))));
        Assert.False(neither.MayReceive(Read(Udp(7, 8))));
    }

    [Fact]
    public void Ports_are_the_functions_own_and_the_peers_whichever_way_the_frame_goes()
    {
        var filter = new FrameFilter([new FilterRule { Protocol = FilterProtocol.Udp, LocalPort = 7, RemotePort = 9 }]);
        Assert.True(filter.MaySend(Read(Udp(7, 9))));
        Assert.False(filter.MaySend(Read(Udp(9, 7))));
        Assert.True(filter.MayReceive(Read(Udp(9, 7))));
        Assert.False(filter.MayReceive(Read(Udp(7, 9))));
    }

    [Fact]
    public void A_peers_network_holds_for_both_directions_and_for_questions()
    {
        var filter = new FrameFilter([new FilterRule { Remote = new Ipv4Prefix(_remote, 32) }]);
        byte[] sent = Frames.Udp(_peer, _own, _local, _remote);
        byte[] received = Frames.Udp(_own, _peer, _remote, _local);
        Assert.True(filter.MaySend(Read(sent)));
        Assert.False(filter.MaySend(Read(received)));
        Assert.True(filter.MayReceive(Read(received)));
        Assert.False(filter.MayReceive(Read(sent)));
        Assert.True(filter.MaySend(Read(Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, _own, _own, _local, _remote))));
        Assert.False(filter.MaySend(Read(Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, _own, _own, _local, new Ipv4Address(1)))));
        Assert.False(filter.MaySend(Read(Frames.OfType(_peer, _own, 0x86DD))));
    }

    [Fact]
    public void A_fragment_without_ports_matches_no_rule_of_ports()
    {
        var byPort = new FrameFilter([new FilterRule { Protocol = FilterProtocol.Udp, LocalPort = 7 }]);
        var byProtocol = new FrameFilter([new FilterRule { Protocol = FilterProtocol.Udp }]);
        byte[] first = Udp(7, 8);
        first[20] |= 0x20; // more fragments
        Assert.True(byPort.MaySend(Read(first)));

        byte[] later = Udp(7, 8); // its payload begins with what looks like the ports
        BinaryPrimitives.WriteUInt16BigEndian(later.AsSpan(20), 185);
        Assert.False(byPort.MaySend(Read(later)));
        Assert.True(byProtocol.MaySend(Read(later)));
    }

    [Fact]
    public void A_datagram_cut_before_its_ports_matches_no_rule_of_ports()
    {
        var filter = new FrameFilter([new FilterRule { RemotePort = 8 }]);
        Assert.True(filter.MaySend(Read(Udp(7, 8)[..38])));
        Assert.False(filter.MaySend(Read(Udp(7, 8)[..37])));
        Assert.False(filter.MaySend(Read(Udp(7, 8)[..34])));
    }

    [Fact]
    public void Ports_are_found_behind_options()
    {
        byte[] frame = [.. Udp(7, 8)[..34], .. new byte[40], .. Udp(7, 8)[34..]];
        frame[14] = 0x4F; // 60 bytes of header
        var filter = new FrameFilter([new FilterRule { LocalPort = 7, RemotePort = 8 }]);
        Assert.True(filter.MaySend(Read(frame)));
        Assert.Equal(DropReason.Malformed, FrameHeader.TryRead(frame.AsSpan(0, 73), out _));
    }

    [Fact]
    public void A_header_that_is_cut_off_is_malformed_at_every_length()
    {
        byte[] ip = Udp(7, 8);
        byte[] arp = Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, _own, _own, _local, _remote);
        for (int length = 0; length < 14; length++)
        {
            Assert.Equal(DropReason.FrameTooShort, FrameHeader.TryRead(ip.AsSpan(0, length), out _));
        }

        for (int length = 14; length < 42; length++)
        {
            Assert.Equal(length < 34 ? DropReason.Malformed : DropReason.None, FrameHeader.TryRead(ip.AsSpan(0, length), out _));
            Assert.Equal(DropReason.Malformed, FrameHeader.TryRead(arp.AsSpan(0, length), out _));
        }

        Assert.Equal(DropReason.None, FrameHeader.TryRead(arp.AsSpan(0, 42), out _));
    }

    [Fact]
    public void Every_frame_meets_the_same_answer_as_a_plain_evaluation()
    {
        Gen<ushort?> port = Gen.OneOf(Gen.Const((ushort?)null), Gen.UShort[6, 8].Select(value => (ushort?)value));
        Gen<FilterRule> rule = Gen.Select(
            Gen.Int[0, 3], Gen.Enum<FilterProtocol>(), port, port, Gen.Int[0, 2 * _networks.Length],
            (direction, protocol, local, remote, network) => new FilterRule
            {
                Direction = (FilterDirection)direction,
                Protocol = protocol,
                LocalPort = local,
                RemotePort = remote,
                Remote = network < _networks.Length ? _networks[network] : null,
            });
        Gen<PlainFrame> frame = Gen.Select(
            Gen.OneOf(1, 6, 17, 47, PlainFrame.Arp, PlainFrame.Ipv6), Gen.UShort[6, 8], Gen.UShort[6, 8], Gen.Bool, Gen.Int[0, 10], Gen.Int[0, 2],
            (protocol, source, destination, isSent, options, cut) => new PlainFrame(protocol, source, destination, isSent, options, cut));
        Gen.Select(rule.List[0, 4], frame).Sample(
            (rules, plain) =>
            {
                var filter = new FrameFilter(rules);
                FrameHeader header = Read(plain.Bytes());
                Assert.Equal(rules.Count == 0 || rules.Any(one => plain.Matches(one, FilterDirection.Send)), filter.MaySend(header));
                Assert.Equal(rules.Count == 0 || rules.Any(one => plain.Matches(one, FilterDirection.Receive)), filter.MayReceive(header));
            },
            seed: Seeds.Fixed,
            iter: 20_000);
    }

    private static byte[] Udp(ushort source, ushort destination) => Frames.Udp(_peer, _own, _local, _remote, source, destination);

    private static FrameHeader Read(byte[] frame)
    {
        Assert.Equal(DropReason.None, FrameHeader.TryRead(frame, out FrameHeader header));
        return header;
    }

    /// <summary>A frame as one would tell it, and what a rule means for it.</summary>
    private sealed record PlainFrame(int Protocol, ushort SourcePort, ushort DestinationPort, bool FromOwn, int OptionWords, int Cut)
    {
        public const int Arp = -1;
        public const int Ipv6 = -2;

        private bool IsIpv4 => Protocol >= 0;

        // Cut 1 is a later fragment, cut 2 ends the frame between the ports.
        private bool HasPorts => Protocol is 6 or 17 && Cut == 0;

        private (Ipv4Address Source, Ipv4Address Destination) Addresses => FromOwn ? (_local, _remote) : (_remote, _local);

        public byte[] Bytes()
        {
            (Ipv4Address source, Ipv4Address destination) = Addresses;
            switch (Protocol)
            {
                case Arp:
                    return Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, _own, _own, source, destination);
                case Ipv6:
                    return Frames.OfType(_peer, _own, 0x86DD);
            }

            byte[] plain = Frames.Udp(_peer, _own, source, destination, SourcePort, DestinationPort);
            byte[] frame = [.. plain[..34], .. new byte[4 * OptionWords], .. plain[34..]];
            frame[14] = (byte)(0x45 + OptionWords);
            frame[23] = (byte)Protocol;
            if (Cut == 1)
            {
                frame[21] = 3;
            }

            return Cut == 2 ? frame[..(34 + 4 * OptionWords + 3)] : frame;
        }

        public bool Matches(FilterRule rule, FilterDirection direction)
        {
            bool sends = direction == FilterDirection.Send;
            bool protocol = rule.Protocol switch
            {
                FilterProtocol.Any => true,
                FilterProtocol.Arp => Protocol == Arp,
                FilterProtocol.Icmp => Protocol == 1,
                FilterProtocol.Tcp => Protocol == 6,
                _ => Protocol == 17,
            };
            bool LocalPort(ushort port) => HasPorts && port == (sends ? SourcePort : DestinationPort);
            bool RemotePort(ushort port) => HasPorts && port == (sends ? DestinationPort : SourcePort);
            bool Remote(Ipv4Prefix network) => (IsIpv4 || Protocol == Arp) && network.Contains(sends ? Addresses.Destination : Addresses.Source);
            return rule.Direction.HasFlag(direction)
                && protocol
                && (rule.LocalPort is null || LocalPort(rule.LocalPort.Value))
                && (rule.RemotePort is null || RemotePort(rule.RemotePort.Value))
                && (rule.Remote is null || Remote(rule.Remote.Value));
        }
    }
}
