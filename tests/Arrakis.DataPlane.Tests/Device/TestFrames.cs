using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>Frames from and to a neighbour 10.7.0.9 of the test device's application 10.7.0.2.</summary>
internal static class TestFrames
{
    public static readonly MacAddress OwnMac = MacAddress.Parse("52:54:00:00:00:02");
    public static readonly Ipv4Address OwnAddress = Ipv4Address.Parse("10.7.0.2");
    public static readonly MacAddress PeerMac = MacAddress.Parse("52:54:00:00:00:09");
    public static readonly Ipv4Address PeerAddress = Ipv4Address.Parse("10.7.0.9");

    public static byte[] Udp(ushort sourcePort, ushort destinationPort, ReadOnlySpan<byte> payload) =>
        Udp(sourcePort, OwnAddress, destinationPort, payload);

    public static byte[] Udp(ushort sourcePort, Ipv4Address destination, ushort destinationPort, ReadOnlySpan<byte> payload)
    {
        var datagram = new byte[UdpView.HeaderLength + payload.Length];
        payload.CopyTo(datagram.AsSpan(UdpView.HeaderLength));
        UdpView.Write(datagram, PeerAddress, sourcePort, destination, destinationPort);
        return Ip(IpProtocol.Udp, destination, datagram);
    }

    public static byte[] Echo(ReadOnlySpan<byte> data)
    {
        var message = new byte[IcmpView.HeaderLength + data.Length];
        message[0] = (byte)IcmpType.EchoRequest;
        message[5] = 1;
        message[7] = 2;
        data.CopyTo(message.AsSpan(IcmpView.HeaderLength));
        IcmpView.WriteChecksum(message);
        return Ip(IpProtocol.Icmp, OwnAddress, message);
    }

    public static byte[] Ip(IpProtocol protocol, Ipv4Address destination, ReadOnlySpan<byte> payload)
    {
        var packet = new byte[Ipv4View.MinHeaderLength + payload.Length];
        payload.CopyTo(packet.AsSpan(Ipv4View.MinHeaderLength));
        Ipv4View.Write(packet, payload.Length, protocol, PeerAddress, destination);
        return Ethernet(EtherType.Ipv4, packet);
    }

    public static byte[] Arp(ArpOperation operation, Ipv4Address target, MacAddress senderMac, Ipv4Address sender)
    {
        var packet = new byte[ArpView.Length];
        ArpView.Write(packet, operation, senderMac, sender, operation == ArpOperation.Reply ? OwnMac : default, target);
        return Ethernet(EtherType.Arp, packet);
    }

    public static byte[] Ethernet(EtherType type, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[EthernetView.HeaderLength + payload.Length];
        EthernetView.Write(frame, OwnMac, PeerMac, type);
        payload.CopyTo(frame.AsSpan(EthernetView.HeaderLength));
        return frame;
    }

    public static bool IsArp(byte[] frame)
    {
        Assert.Equal(FrameError.None, EthernetView.TryParse(frame, out EthernetView ethernet));
        return ethernet.Type == EtherType.Arp;
    }

    /// <summary>A neighbour's answer to an ARP request of the application; null for an announcement.</summary>
    public static byte[]? AnswerArp(byte[] frame)
    {
        Assert.Equal(FrameError.None, ArpView.TryParse(frame.AsSpan(EthernetView.HeaderLength), out ArpView arp));
        return arp.Operation == ArpOperation.Request && arp.TargetAddress != OwnAddress
            ? Arp(ArpOperation.Reply, OwnAddress, PeerMac, arp.TargetAddress)
            : null;
    }

    /// <summary>Checks all headers of a datagram that the application sent to the neighbour, and returns what it says.</summary>
    public static (ushort SourcePort, ushort DestinationPort, byte[] Payload) ReadUdp(byte[] frame)
    {
        Assert.Equal(FrameError.None, EthernetView.TryParse(frame, out EthernetView ethernet));
        Assert.Equal(OwnMac, ethernet.Source);
        Assert.Equal(FrameError.None, Ipv4View.TryParse(ethernet.Payload, out Ipv4View packet));
        Assert.Equal(OwnAddress, packet.Source);
        Assert.Equal(FrameError.None, UdpView.TryParse(packet.Payload, packet.Source, packet.Destination, out UdpView datagram));
        return (datagram.SourcePort, datagram.DestinationPort, datagram.Payload.ToArray());
    }
}
