using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>Frames for tests.</summary>
internal static class Frames
{
    public static byte[] Udp(MacAddress destinationMac, MacAddress sourceMac, Ipv4Address source, Ipv4Address destination, ushort sourcePort = 1000, ushort destinationPort = 7, int payload = 18)
    {
        byte[] frame = new byte[EthernetView.HeaderLength + Ipv4View.MinHeaderLength + UdpView.HeaderLength + payload];
        EthernetView.Write(frame, destinationMac, sourceMac, EtherType.Ipv4);
        Ipv4View.Write(frame.AsSpan(14), UdpView.HeaderLength + payload, IpProtocol.Udp, source, destination);
        UdpView.Write(frame.AsSpan(34), source, sourcePort, destination, destinationPort);
        return frame;
    }

    public static byte[] Arp(ArpOperation operation, MacAddress destinationMac, MacAddress sourceMac, MacAddress senderMac, Ipv4Address sender, Ipv4Address target)
    {
        byte[] frame = new byte[EthernetView.MinFrameLength];
        EthernetView.Write(frame, destinationMac, sourceMac, EtherType.Arp);
        ArpView.Write(frame.AsSpan(14), operation, senderMac, sender, default, target);
        return frame;
    }

    public static byte[] OfType(MacAddress destinationMac, MacAddress sourceMac, ushort type)
    {
        byte[] frame = new byte[EthernetView.MinFrameLength];
        EthernetView.Write(frame, destinationMac, sourceMac, (EtherType)type);
        return frame;
    }

    /// <summary>Answers as a host with one address and an echo server on every UDP port; null where there is no answer.</summary>
    public static byte[]? Answer(ReadOnlySpan<byte> frame, MacAddress mac, Ipv4Address address)
    {
        Assert.Equal(FrameError.None, EthernetView.TryParse(frame, out EthernetView ethernet));
        if (ethernet.Type == EtherType.Arp && ArpView.TryParse(ethernet.Payload, out ArpView arp) == FrameError.None)
        {
            return arp.Operation == ArpOperation.Request && arp.TargetAddress == address
                ? Arp(ArpOperation.Reply, arp.SenderMac, mac, mac, address, arp.SenderAddress)
                : null;
        }

        if (ethernet.Type != EtherType.Ipv4 || Ipv4View.TryParse(ethernet.Payload, out Ipv4View ip) != FrameError.None || ip.Destination != address)
        {
            return null;
        }

        byte[] reply = frame[..(EthernetView.HeaderLength + ip.TotalLength)].ToArray();
        EthernetView.Write(reply, ethernet.Source, mac, EtherType.Ipv4);
        Ipv4View.Write(reply.AsSpan(14), ip.TotalLength - ip.HeaderLength, ip.Protocol, address, ip.Source);
        if (ip.Protocol == IpProtocol.Udp && UdpView.TryParse(ip.Payload, ip.Source, ip.Destination, out UdpView udp) == FrameError.None)
        {
            UdpView.Write(reply.AsSpan(34), address, udp.DestinationPort, ip.Source, udp.SourcePort);
            return reply;
        }

        if (ip.Protocol == IpProtocol.Icmp && IcmpView.TryParse(ip.Payload, out IcmpView icmp) == FrameError.None && icmp.Type == IcmpType.EchoRequest)
        {
            reply[34] = (byte)IcmpType.EchoReply;
            IcmpView.WriteChecksum(reply.AsSpan(34));
            return reply;
        }

        return null;
    }
}
