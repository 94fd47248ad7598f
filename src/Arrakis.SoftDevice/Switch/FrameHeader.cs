using System.Buffers.Binary;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.SoftDevice.Switch;

/// <summary>What the switch looks at in a frame: addresses and ports. No checksum: a wrong one harms its receiver only.</summary>
internal readonly struct FrameHeader
{
    private const ushort ProviderTag = 0x88A8; // IEEE 802.1ad
    private const ushort OldProviderTag = 0x9100;

    private FrameHeader(MacAddress destination, MacAddress source, EtherType type)
    {
        Destination = destination;
        Source = source;
        Type = type;
    }

    /// <summary>Destination MAC.</summary>
    public MacAddress Destination { get; }

    /// <summary>Source MAC.</summary>
    public MacAddress Source { get; }

    /// <summary>What the payload is.</summary>
    public EtherType Type { get; }

    /// <summary>IPv4 protocol.</summary>
    public IpProtocol Protocol { get; private init; }

    /// <summary>IPv4 source, or ARP sender.</summary>
    public Ipv4Address Sender { get; private init; }

    /// <summary>IPv4 destination, or ARP target.</summary>
    public Ipv4Address Target { get; private init; }

    /// <summary>ARP sender's MAC.</summary>
    public MacAddress ArpSenderMac { get; private init; }

    /// <summary>ARP operation.</summary>
    public ArpOperation ArpOperation { get; private init; }

    /// <summary>Whether the frame carries the ports of TCP or UDP; only a datagram's first fragment does.</summary>
    public bool HasPorts { get; private init; }

    /// <summary>TCP or UDP source port.</summary>
    public ushort SourcePort { get; private init; }

    /// <summary>TCP or UDP destination port.</summary>
    public ushort DestinationPort { get; private init; }

    /// <summary>Reads the headers of a frame that nobody else can change meanwhile.</summary>
    public static DropReason TryRead(ReadOnlySpan<byte> frame, out FrameHeader header)
    {
        header = default;
        if (EthernetView.TryParse(frame, out EthernetView ethernet) != FrameError.None)
        {
            return DropReason.FrameTooShort;
        }

        header = new FrameHeader(ethernet.Destination, ethernet.Source, ethernet.Type);
        return ethernet.Type switch
        {
            EtherType.Ipv4 => ReadIpv4(ethernet.Payload, ref header),
            EtherType.Arp => ReadArp(ethernet.Payload, ref header),
            EtherType.Vlan or (EtherType)ProviderTag or (EtherType)OldProviderTag => DropReason.VlanTagged,
            _ => DropReason.None,
        };
    }

    private static DropReason ReadIpv4(ReadOnlySpan<byte> packet, ref FrameHeader header)
    {
        // Offsets of RFC 791 §3.1. Not Ipv4View: that is a host's view, which refuses fragments and checks the checksum.
        if (packet.Length < Ipv4View.MinHeaderLength || packet[0] >> 4 != 4)
        {
            return DropReason.Malformed;
        }

        int headerLength = (packet[0] & 0xF) * 4;
        if (headerLength < Ipv4View.MinHeaderLength || headerLength > packet.Length)
        {
            return DropReason.Malformed;
        }

        var protocol = (IpProtocol)packet[9];
        bool firstFragment = (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x1FFF) == 0;
        bool hasPorts = firstFragment && protocol is IpProtocol.Udp or IpProtocol.Tcp && packet.Length >= headerLength + 4;
        header = new FrameHeader(header.Destination, header.Source, header.Type)
        {
            Protocol = protocol,
            Sender = Ipv4Address.Read(packet[12..]),
            Target = Ipv4Address.Read(packet[16..]),
            HasPorts = hasPorts,
            SourcePort = hasPorts ? BinaryPrimitives.ReadUInt16BigEndian(packet[headerLength..]) : (ushort)0,
            DestinationPort = hasPorts ? BinaryPrimitives.ReadUInt16BigEndian(packet[(headerLength + 2)..]) : (ushort)0,
        };
        return DropReason.None;
    }

    private static DropReason ReadArp(ReadOnlySpan<byte> packet, ref FrameHeader header)
    {
        if (ArpView.TryParse(packet, out ArpView arp) != FrameError.None)
        {
            return DropReason.Malformed;
        }

        header = new FrameHeader(header.Destination, header.Source, header.Type)
        {
            Sender = arp.SenderAddress,
            Target = arp.TargetAddress,
            ArpSenderMac = arp.SenderMac,
            ArpOperation = arp.Operation,
        };
        return DropReason.None;
    }
}
