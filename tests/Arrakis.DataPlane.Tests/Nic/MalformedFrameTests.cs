using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>Each kind of bad frame is dropped, answered by nothing, and counted under its own name and no other.</summary>
public sealed class MalformedFrameTests
{
    private static readonly byte[] s_udp = TestFrames.Udp(1000, 7, "payload"u8);
    private static readonly byte[] s_echo = TestFrames.Echo("data"u8);
    private static readonly byte[] s_arp = TestFrames.Arp(ArpOperation.Request, TestFrames.OwnAddress, TestFrames.PeerMac, TestFrames.PeerAddress);
    private static readonly MacAddress s_group = MacAddress.Parse("01:00:5e:00:00:01");

    private static readonly (string Name, string Counter, byte[] Frame)[] s_cases =
    [
        ("no bytes", nameof(FrameError.EthernetTruncated), []),
        ("13 bytes", nameof(FrameError.EthernetTruncated), s_udp[..13]),
        ("IPv6", nameof(FrameError.EtherTypeUnknown), TestFrames.Ethernet(EtherType.Ipv6, new byte[46])),
        ("VLAN tag", nameof(FrameError.EtherTypeUnknown), TestFrames.Ethernet(EtherType.Vlan, new byte[46])),
        ("802.3 length", nameof(FrameError.EtherTypeUnknown), TestFrames.Ethernet((EtherType)46, new byte[46])),
        ("ARP of 27 bytes", nameof(FrameError.ArpTruncated), s_arp[..^1]),
        ("ARP of no bytes", nameof(FrameError.ArpTruncated), s_arp[..14]),
        ("ARP hardware type", nameof(FrameError.ArpMalformed), s_arp.With(15, 6)),
        ("ARP protocol type", nameof(FrameError.ArpMalformed), s_arp.With(16, 0x86)),
        ("ARP hardware length", nameof(FrameError.ArpMalformed), s_arp.With(18, 8)),
        ("ARP protocol length", nameof(FrameError.ArpMalformed), s_arp.With(19, 16)),
        ("ARP operation 0", nameof(FrameError.ArpMalformed), s_arp.With(21, 0)),
        ("RARP", nameof(FrameError.ArpMalformed), s_arp.With(21, 3)),
        ("IPv4 of 19 bytes", nameof(FrameError.Ipv4Truncated), s_udp[..33]),
        ("IPv4 shorter than it says", nameof(FrameError.Ipv4Truncated), s_udp[..^1]),
        ("IPv4 version 5", nameof(FrameError.Ipv4VersionWrong), s_udp.WithIp(0, 0x55).FixIp()),
        ("IPv4 header of 16 bytes", nameof(FrameError.Ipv4LengthWrong), s_udp.WithIp(0, 0x44).FixIp()),
        ("IPv4 shorter than its header", nameof(FrameError.Ipv4LengthWrong), s_udp.WithIp(3, 19).FixIp()),
        ("IPv4 header over the packet", nameof(FrameError.Ipv4LengthWrong), s_udp.WithIp(0, 0x4F).FixIp()),
        ("IPv4 checksum", nameof(FrameError.Ipv4ChecksumWrong), s_udp.WithIp(8, 63)),
        ("first fragment", nameof(FrameError.Ipv4Fragment), s_udp.WithIp(6, 0x20).FixIp()),
        ("later fragment", nameof(FrameError.Ipv4Fragment), s_udp.WithIp(7, 1).FixIp()),
        ("later fragment far away", nameof(FrameError.Ipv4Fragment), s_udp.WithIp(6, 0x1F).FixIp()),
        ("from a group", nameof(FrameError.Ipv4SourceInvalid), s_udp.From(Ipv4Address.Parse("224.0.0.1"))),
        ("from all", nameof(FrameError.Ipv4SourceInvalid), s_udp.From(Ipv4Address.Broadcast)),
        ("from the network's broadcast", nameof(FrameError.Ipv4SourceInvalid), s_udp.From(Ipv4Address.Parse("10.7.0.255"))),
        ("from a loopback", nameof(FrameError.Ipv4SourceInvalid), s_udp.From(Ipv4Address.Parse("127.0.0.1"))),
        ("from nobody", nameof(FrameError.Ipv4SourceInvalid), s_udp.From(Ipv4Address.Any)),
        ("from this host", nameof(FrameError.Ipv4SourceInvalid), s_udp.From(TestFrames.OwnAddress)),
        ("to a neighbour", nameof(FrameError.Ipv4DestinationForeign), TestFrames.Udp(1000, Ipv4Address.Parse("10.7.0.3"), 7, "x"u8)),
        ("to a group", nameof(FrameError.Ipv4DestinationForeign), TestFrames.Udp(1000, Ipv4Address.Parse("224.0.0.251"), 7, "x"u8)),
        ("to another network's broadcast", nameof(FrameError.Ipv4DestinationForeign), TestFrames.Udp(1000, Ipv4Address.Parse("10.8.0.255"), 7, "x"u8)),
        ("TCP", nameof(FrameError.Ipv4ProtocolUnknown), TestFrames.Ip(IpProtocol.Tcp, TestFrames.OwnAddress, new byte[20])),
        ("ICMP of 7 bytes", nameof(FrameError.IcmpTruncated), TestFrames.Ip(IpProtocol.Icmp, TestFrames.OwnAddress, new byte[7])),
        ("ICMP checksum", nameof(FrameError.IcmpChecksumWrong), s_echo.WithPayload(9, 0xFF)),
        ("ICMP unreachable", nameof(FrameError.IcmpTypeUnknown), s_echo.WithPayload(0, 3).FixIcmp()),
        ("ICMP echo reply", nameof(FrameError.IcmpTypeUnknown), s_echo.WithPayload(0, 0).FixIcmp()),
        ("UDP of 7 bytes", nameof(FrameError.UdpTruncated), TestFrames.Ip(IpProtocol.Udp, TestFrames.OwnAddress, new byte[7])),
        ("UDP length 7", nameof(FrameError.UdpLengthWrong), s_udp.WithPayload(5, 7)),
        ("UDP length over the packet", nameof(FrameError.UdpLengthWrong), s_udp.WithPayload(5, 16)),
        ("UDP length huge", nameof(FrameError.UdpLengthWrong), s_udp.WithPayload(4, 0xFF)),
        ("UDP payload", nameof(FrameError.UdpChecksumWrong), s_udp.WithPayload(8, 0)),
        ("UDP checksum", nameof(FrameError.UdpChecksumWrong), s_udp.WithPayload(6, (byte)~s_udp[40])),
        ("UDP to port zero", nameof(FrameError.UdpPortZero), TestFrames.Udp(1000, 0, "x"u8)),
        ("to another station", nameof(DropReason.EthernetDestinationForeign), s_udp.To(MacAddress.Parse("52:54:00:00:00:03"))),
        ("to a group of stations", nameof(DropReason.EthernetDestinationForeign), s_udp.To(s_group)),
        ("from a group of stations", nameof(DropReason.EthernetSourceInvalid), s_udp.From(s_group)),
        ("from all stations", nameof(DropReason.EthernetSourceInvalid), s_udp.From(MacAddress.Broadcast)),
        ("from no station", nameof(DropReason.EthernetSourceInvalid), s_udp.From(default(MacAddress))),
        ("over the MTU", nameof(DropReason.FrameTooLong), TestFrames.Udp(1000, 7, new byte[1500 - 28 + 1])),
        ("echo over the MTU", nameof(DropReason.FrameTooLong), TestFrames.Echo(new byte[1500 - 28 + 1])),
        ("to this host, but to all stations", nameof(DropReason.Ipv4UnicastInBroadcast), s_udp.To(MacAddress.Broadcast)),
        ("echo to this host, but to all stations", nameof(DropReason.Ipv4UnicastInBroadcast), s_echo.To(MacAddress.Broadcast)),
    ];

    // What is not about the bytes of a received frame has tests of its own.
    private static readonly (DropReason Reason, Type Tests)[] s_elsewhere =
    [
        (DropReason.UdpPortUnreachable, typeof(Sockets.SocketDropTests)),
        (DropReason.UdpPortOnOtherQueue, typeof(Sockets.QueueSocketTests)),
        (DropReason.SocketQueueFull, typeof(Sockets.SocketDropTests)),
        (DropReason.NoBuffer, typeof(Sockets.SocketDropTests)),
        (DropReason.FrameDamaged, typeof(Rings.IgbReceiveRingTests)),
        (DropReason.TransmitRingFull, typeof(TransmitQueueTests)),
        (DropReason.NeighbourQueueFull, typeof(Link.ArpPendingTests)),
        (DropReason.NeighbourUnreachable, typeof(Link.ArpPendingTests)),
    ];

    public static TheoryData<string> Names => [.. s_cases.Select(static c => c.Name)];

    [Fact]
    public void Every_reason_has_a_case()
    {
        string[] reasons =
        [
            .. Enum.GetNames<FrameError>().Where(static name => name != nameof(FrameError.None)),
            .. Enum.GetNames<DropReason>().Except(s_elsewhere.Select(static e => e.Reason.ToString())),
        ];
        Assert.Equal(reasons.Order(), s_cases.Select(static c => c.Counter).Distinct().Order());
        Assert.All(
            s_elsewhere,
            static e => Assert.Contains(e.Tests.GetMethods(), m => m.Name.Contains(e.Reason.ToString(), StringComparison.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_bad_frame_is_dropped_and_counted_under_its_own_name(string name)
    {
        (_, string counter, byte[] frame) = s_cases.Single(c => c.Name == name);
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        _ = nic.PollOnce(Refuse);
        _ = device.TakeSent(); // The announcement.
        Dictionary<string, long> before = new(nic.Counters.ToDictionary());
        device.Deliver(frame);
        Assert.Equal(1, nic.PollOnce(Refuse));
        before[counter]++;
        before[nameof(NetCounters.FramesReceived)]++;
        before[nameof(NetCounters.BytesReceived)] += frame.Length;
        Assert.Equal(before, nic.Counters.ToDictionary());
        Assert.Null(device.TryTakeSent());
    }

    [Fact]
    public async Task A_reactor_drops_and_counts_them_too()
    {
        await using var bench = new SocketBench();
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7));
        foreach ((_, _, byte[] frame) in s_cases)
        {
            bench.Device.Deliver(frame);
        }

        bench.Device.Deliver(TestFrames.Udp(1, 7, "good"u8));
        UdpReceiveFromResult result = await socket.ReceiveFromAsync(new byte[10], TestContext.Current.CancellationToken).AsTask().WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(4, result.ReceivedBytes);
        IReadOnlyDictionary<string, long> counters = bench.Nic.Counters.ToDictionary();
        Assert.All(s_cases.GroupBy(static c => c.Counter), g => Assert.Equal(g.Count(), counters[g.Key]));
    }

    private static void Refuse(PacketBatch received, TransmitQueue transmit) => Assert.Fail("a bad frame came through");
}
