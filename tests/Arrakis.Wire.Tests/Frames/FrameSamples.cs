using System.Text;
using Arrakis.Wire.Frames;

namespace Arrakis.Wire.Tests.Frames;

/// <summary>Valid packets to take apart and to spoil.</summary>
internal static class FrameSamples
{
    public static readonly MacAddress MacA = MacAddress.Parse("52:54:00:00:00:0a");
    public static readonly MacAddress MacB = MacAddress.Parse("52:54:00:00:00:0b");
    public static readonly Ipv4Address A = Ipv4Address.Parse("10.7.0.2");
    public static readonly Ipv4Address B = Ipv4Address.Parse("10.7.0.3");

    /// <summary>A datagram's frame.</summary>
    public static byte[] Udp(ReadOnlySpan<byte> payload, ushort sourcePort = 4000, ushort destinationPort = 7, int padding = 0)
    {
        byte[] frame = new byte[42 + payload.Length + padding];
        payload.CopyTo(frame.AsSpan(42));
        UdpView.Write(frame.AsSpan(34, 8 + payload.Length), A, sourcePort, B, destinationPort);
        return Ip(frame, IpProtocol.Udp, 8 + payload.Length);
    }

    /// <summary>An echo request's frame.</summary>
    public static byte[] Ping(ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[42 + payload.Length];
        frame[34] = (byte)IcmpType.EchoRequest;
        payload.CopyTo(frame.AsSpan(42));
        IcmpView.WriteChecksum(frame.AsSpan(34));
        return Ip(frame, IpProtocol.Icmp, 8 + payload.Length);
    }

    /// <summary>An ARP request's frame.</summary>
    public static byte[] Arp()
    {
        byte[] frame = new byte[EthernetView.MinFrameLength];
        EthernetView.Write(frame, MacAddress.Broadcast, MacA, EtherType.Arp);
        ArpView.Write(frame.AsSpan(14), ArpOperation.Request, MacA, A, default, B);
        return frame;
    }

    /// <summary>One of each.</summary>
    public static byte[][] All() => [Udp(Encoding.ASCII.GetBytes("hello")), Udp([], padding: 18), Ping(new byte[56]), Arp()];

    /// <summary>What a stack does with a frame: the first error on the way, or none.</summary>
    public static FrameError ParseAll(ReadOnlySpan<byte> frame)
    {
        FrameError error = EthernetView.TryParse(frame, out EthernetView ethernet);
        if (error != FrameError.None)
        {
            return error;
        }

        _ = (ethernet.Source, ethernet.Destination);
        return ethernet.Type switch
        {
            EtherType.Arp => ParseArp(ethernet.Payload),
            EtherType.Ipv4 => ParseIpv4(ethernet.Payload),
            _ => FrameError.EtherTypeUnknown,
        };
    }

    private static FrameError ParseArp(ReadOnlySpan<byte> payload)
    {
        FrameError error = ArpView.TryParse(payload, out ArpView arp);
        if (error == FrameError.None)
        {
            _ = (arp.Operation, arp.SenderMac, arp.SenderAddress, arp.TargetMac, arp.TargetAddress);
        }

        return error;
    }

    private static FrameError ParseIpv4(ReadOnlySpan<byte> payload)
    {
        FrameError error = Ipv4View.TryParse(payload, out Ipv4View ip);
        if (error != FrameError.None)
        {
            return error;
        }

        _ = (ip.TimeToLive, ip.TotalLength, ip.Destination);
        switch (ip.Protocol)
        {
            case IpProtocol.Udp:
                error = UdpView.TryParse(ip.Payload, ip.Source, ip.Destination, out UdpView udp);
                if (error == FrameError.None)
                {
                    _ = (udp.SourcePort, udp.DestinationPort, udp.Payload.Length);
                }

                return error;
            case IpProtocol.Icmp:
                error = IcmpView.TryParse(ip.Payload, out IcmpView icmp);
                if (error == FrameError.None)
                {
                    _ = (icmp.Type, icmp.Code, icmp.Message.Length);
                }

                return error;
            default:
                return FrameError.Ipv4ProtocolUnknown;
        }
    }

    private static byte[] Ip(byte[] frame, IpProtocol protocol, int length)
    {
        Ipv4View.Write(frame.AsSpan(14), length, protocol, A, B);
        EthernetView.Write(frame, MacB, MacA, EtherType.Ipv4);
        return frame;
    }
}
