using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.Fuzz.Targets;

/// <summary>Frames, as they come from a neighbour.</summary>
internal sealed class FrameTarget : FuzzTarget
{
    private static readonly MacAddress _mac = new(0x5254_0000_0001);
    private static readonly Ipv4Address _a = new(0x0A07_0002);
    private static readonly Ipv4Address _b = new(0x0A07_0003);

    public override string Name => "frames";

    public override IReadOnlyList<byte[]> Corpus { get; } = [Arp(), Datagram([]), Datagram(new byte[32]), Echo(), ArpReply()];

    public override void Run(ReadOnlySpan<byte> input)
    {
        Parse(input);
        if (input.Length > 34 && input[12] == 8 && input[13] == 0)
        {
            // Once more with the header's checksum right, so that what lies behind it is reached.
            byte[] mended = input.ToArray();
            int length = Math.Min(mended.Length - 14, Math.Max(20, (mended[14] & 0xF) * 4));
            mended[24] = mended[25] = 0;
            ushort checksum = InternetChecksum.Compute(mended.AsSpan(14, length));
            (mended[24], mended[25]) = ((byte)(checksum >> 8), (byte)checksum);
            Parse(mended);
        }
    }

    internal static byte[] Datagram(ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[42 + payload.Length];
        payload.CopyTo(frame.AsSpan(42));
        UdpView.Write(frame.AsSpan(34), _a, 4000, _b, 7);
        Ipv4View.Write(frame.AsSpan(14), 8 + payload.Length, IpProtocol.Udp, _a, _b);
        EthernetView.Write(frame, _mac, _mac, EtherType.Ipv4);
        return frame;
    }

    private static void Parse(ReadOnlySpan<byte> frame)
    {
        if (EthernetView.TryParse(frame, out EthernetView ethernet) != FrameError.None)
        {
            Promise(frame.Length < EthernetView.HeaderLength, "only a short frame is truncated");
            return;
        }

        _ = (ethernet.Destination, ethernet.Source, ethernet.Type);
        if (ArpView.TryParse(ethernet.Payload, out ArpView arp) == FrameError.None)
        {
            Promise(arp.Operation is ArpOperation.Request or ArpOperation.Reply, "a parsed ARP packet has a known operation");
            _ = (arp.SenderMac, arp.SenderAddress, arp.TargetMac, arp.TargetAddress);
        }

        if (Ipv4View.TryParse(ethernet.Payload, out Ipv4View ip) != FrameError.None)
        {
            return;
        }

        Promise(ip.TotalLength <= ethernet.Payload.Length && ip.HeaderLength + ip.Payload.Length == ip.TotalLength, "a parsed packet is inside its frame");
        Promise(ip.Source.IsUnicast, "a parsed packet has a source that a host may have");
        if (UdpView.TryParse(ip.Payload, ip.Source, ip.Destination, out UdpView udp) == FrameError.None)
        {
            Promise(udp.DestinationPort != 0 && udp.Payload.Length + UdpView.HeaderLength <= ip.Payload.Length, "a parsed datagram is inside its packet");
        }

        if (IcmpView.TryParse(ip.Payload, out IcmpView icmp) == FrameError.None)
        {
            _ = (icmp.Type, icmp.Code, icmp.Message.Length);
        }
    }

    private static byte[] Arp()
    {
        byte[] frame = new byte[60];
        EthernetView.Write(frame, MacAddress.Broadcast, _mac, EtherType.Arp);
        ArpView.Write(frame.AsSpan(14), ArpOperation.Request, _mac, _a, default, _b);
        return frame;
    }

    private static byte[] ArpReply()
    {
        byte[] frame = new byte[42];
        EthernetView.Write(frame, _mac, _mac, EtherType.Arp);
        ArpView.Write(frame.AsSpan(14), ArpOperation.Reply, _mac, _a, _mac, _b);
        return frame;
    }

    private static byte[] Echo()
    {
        byte[] frame = new byte[42 + 56];
        frame[34] = (byte)IcmpType.EchoRequest;
        IcmpView.WriteChecksum(frame.AsSpan(34));
        Ipv4View.Write(frame.AsSpan(14), 64, IpProtocol.Icmp, _a, _b);
        EthernetView.Write(frame, _mac, _mac, EtherType.Ipv4);
        return frame;
    }
}
