using System.Buffers.Binary;

namespace Arrakis.Wire.Frames;

/// <summary>
/// Where a frame has its TCP or UDP header, and the checksum that covers it (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1), for
/// devices that fill checksums in, check them, or cut frames into segments.
/// </summary>
/// <param name="IsIpv6">IPv6; otherwise IPv4.</param>
/// <param name="Protocol">TCP or UDP.</param>
/// <param name="Start">Offset of the header in the frame.</param>
/// <param name="End">The first byte after the IP packet; what follows is padding.</param>
public readonly record struct TransportHeader(bool IsIpv6, IpProtocol Protocol, int Start, int End)
{
    /// <summary>Bytes of an IPv6 header.</summary>
    public const int Ipv6HeaderLength = 40;

    /// <summary>Offset of the checksum in a TCP header.</summary>
    public const int TcpChecksumOffset = 16;

    /// <summary>Offset of the checksum in a UDP header.</summary>
    public const int UdpChecksumOffset = 6;

    private const int MinTcpHeaderLength = 20;
    private const int IpOffset = EthernetView.HeaderLength;

    /// <summary>Offset of the checksum in the transport header.</summary>
    public int ChecksumOffset => Protocol == IpProtocol.Tcp ? TcpChecksumOffset : UdpChecksumOffset;

    /// <summary>
    /// Finds the transport header. False where the frame has none that a checksum could be of: another protocol, a
    /// fragment, an IPv6 extension header, or lengths that do not fit the frame.
    /// </summary>
    public static bool TryFind(ReadOnlySpan<byte> frame, out TransportHeader header)
    {
        header = default;
        if (frame.Length < IpOffset + Ipv4View.MinHeaderLength)
        {
            return false;
        }

        ReadOnlySpan<byte> packet = frame[IpOffset..];
        switch ((EtherType)BinaryPrimitives.ReadUInt16BigEndian(frame[12..]))
        {
            case EtherType.Ipv4:
                int headerLength = (packet[0] & 0xF) * 4;
                int total = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
                bool isFragment = (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x3FFF) != 0;
                if (packet[0] >> 4 != 4 || headerLength < Ipv4View.MinHeaderLength || total > packet.Length || isFragment)
                {
                    return false;
                }

                header = new TransportHeader(false, (IpProtocol)packet[9], IpOffset + headerLength, IpOffset + total);
                break;
            case EtherType.Ipv6 when packet.Length >= Ipv6HeaderLength && packet[0] >> 4 == 6:
                int length = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
                if (length > packet.Length - Ipv6HeaderLength)
                {
                    return false;
                }

                header = new TransportHeader(true, (IpProtocol)packet[6], IpOffset + Ipv6HeaderLength, IpOffset + Ipv6HeaderLength + length);
                break;
            default:
                return false;
        }

        return header.Protocol switch
        {
            IpProtocol.Tcp => header.End - header.Start >= MinTcpHeaderLength && header.TcpHeaderLength(frame) is >= MinTcpHeaderLength and var own && own <= header.End - header.Start,
            IpProtocol.Udp => header.End - header.Start >= UdpView.HeaderLength && BinaryPrimitives.ReadUInt16BigEndian(frame[(header.Start + 4)..]) == header.End - header.Start,
            _ => false,
        };
    }

    /// <summary>Offset of the payload: the first byte after the transport header.</summary>
    public int PayloadStart(ReadOnlySpan<byte> frame) => Start + (Protocol == IpProtocol.Tcp ? TcpHeaderLength(frame) : UdpView.HeaderLength);

    /// <summary>The sum of the pseudo header, in the form of <see cref="InternetChecksum"/>.</summary>
    public ulong PseudoHeader(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> addresses = IsIpv6 ? frame.Slice(IpOffset + 8, 32) : frame.Slice(IpOffset + 12, 8);
        ulong sum = InternetChecksum.AddNumber(InternetChecksum.Add(0, addresses), (byte)Protocol);
        return InternetChecksum.AddNumber(sum, (ushort)(End - Start));
    }

    /// <summary>Puts the checksum into the frame.</summary>
    public void WriteChecksum(Span<byte> frame)
    {
        Span<byte> field = frame[(Start + ChecksumOffset)..];
        BinaryPrimitives.WriteUInt16BigEndian(field, 0);
        ushort checksum = InternetChecksum.Finish(InternetChecksum.Add(PseudoHeader(frame), frame[Start..End]));

        // A UDP checksum of zero would mean that there is none (RFC 768).
        BinaryPrimitives.WriteUInt16BigEndian(field, checksum == 0 && Protocol == IpProtocol.Udp ? (ushort)0xFFFF : checksum);
    }

    /// <summary>Puts the sum of the pseudo header where the checksum will be: what a device that fills it in starts from.</summary>
    public void WritePartialChecksum(Span<byte> frame) =>
        BinaryPrimitives.WriteUInt16BigEndian(frame[(Start + ChecksumOffset)..], (ushort)~InternetChecksum.Finish(PseudoHeader(frame)));

    /// <summary>Whether there is a checksum and it is right.</summary>
    public bool IsChecksumRight(ReadOnlySpan<byte> frame) =>
        (Protocol == IpProtocol.Tcp || BinaryPrimitives.ReadUInt16BigEndian(frame[(Start + UdpChecksumOffset)..]) != 0)
        && InternetChecksum.Finish(InternetChecksum.Add(PseudoHeader(frame), frame[Start..End])) == 0;

    private int TcpHeaderLength(ReadOnlySpan<byte> frame) => (frame[Start + 12] >> 4) * 4;
}
