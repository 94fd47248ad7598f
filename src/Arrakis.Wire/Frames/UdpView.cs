using System.Buffers.Binary;

namespace Arrakis.Wire.Frames;

/// <summary>A UDP datagram (RFC 768).</summary>
public readonly ref struct UdpView
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderLength = 8;

    private const int DestinationPortOffset = 2;
    private const int LengthOffset = 4;
    private const int ChecksumOffset = 6;

    private readonly ReadOnlySpan<byte> _datagram;

    private UdpView(ReadOnlySpan<byte> datagram) => _datagram = datagram;

    /// <summary>Sender's port; zero where no reply is expected.</summary>
    public ushort SourcePort => BinaryPrimitives.ReadUInt16BigEndian(_datagram);

    /// <summary>Receiver's port.</summary>
    public ushort DestinationPort => BinaryPrimitives.ReadUInt16BigEndian(_datagram[DestinationPortOffset..]);

    /// <summary>All after the header.</summary>
    public ReadOnlySpan<byte> Payload => _datagram[HeaderLength..];

    /// <summary>Checks lengths, destination port and checksum of an IPv4 payload and makes a view.</summary>
    /// <param name="payload">What follows the IPv4 header.</param>
    /// <param name="source">From the IPv4 header, for the pseudo header.</param>
    /// <param name="destination">From the IPv4 header, for the pseudo header.</param>
    /// <param name="view">The datagram.</param>
    public static FrameError TryParse(ReadOnlySpan<byte> payload, Ipv4Address source, Ipv4Address destination, out UdpView view)
    {
        view = default;
        if (payload.Length < HeaderLength)
        {
            return FrameError.UdpTruncated;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(payload[LengthOffset..]);
        if (length < HeaderLength || length > payload.Length)
        {
            return FrameError.UdpLengthWrong;
        }

        ReadOnlySpan<byte> datagram = payload[..length];

        // A checksum of zero means that the sender computed none (RFC 768; RFC 1122 §4.1.3.4).
        if (BinaryPrimitives.ReadUInt16BigEndian(datagram[ChecksumOffset..]) != 0
            && InternetChecksum.Finish(InternetChecksum.Add(InternetChecksum.PseudoHeader(source, destination, (byte)IpProtocol.Udp, (ushort)length), datagram)) != 0)
        {
            return FrameError.UdpChecksumWrong;
        }

        view = new UdpView(datagram);
        if (view.DestinationPort == 0)
        {
            view = default;
            return FrameError.UdpPortZero;
        }

        return FrameError.None;
    }

    /// <summary>Writes the header, checksum included, before a payload that is already in place.</summary>
    /// <param name="datagram">Header and payload, no more.</param>
    /// <param name="source">For the pseudo header.</param>
    /// <param name="sourcePort">Sender's port.</param>
    /// <param name="destination">For the pseudo header.</param>
    /// <param name="destinationPort">Receiver's port.</param>
    public static void Write(Span<byte> datagram, Ipv4Address source, ushort sourcePort, Ipv4Address destination, ushort destinationPort)
    {
        ushort length = checked((ushort)datagram.Length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram, sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[DestinationPortOffset..], destinationPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[LengthOffset..], length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[ChecksumOffset..], 0);
        ushort checksum = InternetChecksum.Finish(InternetChecksum.Add(InternetChecksum.PseudoHeader(source, destination, (byte)IpProtocol.Udp, length), datagram));

        // Zero is "no checksum"; its other form in ones' complement is sent instead (RFC 768).
        BinaryPrimitives.WriteUInt16BigEndian(datagram[ChecksumOffset..], checksum == 0 ? (ushort)0xFFFF : checksum);
    }
}
