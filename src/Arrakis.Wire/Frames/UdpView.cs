using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Arrakis.Wire.Frames;

/// <summary>A UDP datagram (RFC 768).</summary>
public readonly ref struct UdpView
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderLength = 8;

    /// <summary>Offset of the checksum in the header.</summary>
    public const int ChecksumOffset = 6;

    /// <summary>Offset of the length, of header and payload, in the header.</summary>
    public const int LengthOffset = 4;

    private const int DestinationPortOffset = 2;

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
        FrameError error = Cut(payload, out ReadOnlySpan<byte> datagram);
        if (error != FrameError.None)
        {
            return error;
        }

        // A checksum of zero means that the sender computed none (RFC 768; RFC 1122 §4.1.3.4).
        if (BinaryPrimitives.ReadUInt16BigEndian(datagram[ChecksumOffset..]) != 0
            && InternetChecksum.Finish(InternetChecksum.Add(InternetChecksum.PseudoHeader(source, destination, (byte)IpProtocol.Udp, (ushort)datagram.Length), datagram)) != 0)
        {
            return FrameError.UdpChecksumWrong;
        }

        return Accept(datagram, out view);
    }

    /// <summary>The same for a datagram whose checksum somebody else has vouched for: only lengths and destination port are checked.</summary>
    public static FrameError TryParseTrusted(ReadOnlySpan<byte> payload, out UdpView view)
    {
        view = default;
        FrameError error = Cut(payload, out ReadOnlySpan<byte> datagram);
        return error == FrameError.None ? Accept(datagram, out view) : error;
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

    /// <summary>Writes the header with the sum of the pseudo header in the checksum's place, for a device that adds the rest (virtio 1.2 §5.1.6.2).</summary>
    /// <param name="header">At least the header.</param>
    /// <param name="length">Bytes of header and payload, wherever the payload is.</param>
    /// <param name="source">For the pseudo header.</param>
    /// <param name="sourcePort">Sender's port.</param>
    /// <param name="destination">For the pseudo header.</param>
    /// <param name="destinationPort">Receiver's port.</param>
    public static void WritePartial(Span<byte> header, int length, Ipv4Address source, ushort sourcePort, Ipv4Address destination, ushort destinationPort)
    {
        BinaryPrimitives.WriteUInt16BigEndian(header, sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(header[DestinationPortOffset..], destinationPort);
        BinaryPrimitives.WriteUInt16BigEndian(header[LengthOffset..], checked((ushort)length));
        ulong sum = InternetChecksum.PseudoHeader(source, destination, (byte)IpProtocol.Udp, (ushort)length);
        BinaryPrimitives.WriteUInt16BigEndian(header[ChecksumOffset..], (ushort)~InternetChecksum.Finish(sum));
    }

    /// <summary>Adds the rest to a sum of the pseudo header: see <see cref="WritePartial"/>. False where the length is not inside.</summary>
    /// <param name="datagram">From the header on; what follows the datagram is not touched.</param>
    public static bool TryComplete(Span<byte> datagram)
    {
        if (Cut(datagram, out ReadOnlySpan<byte> whole) != FrameError.None)
        {
            return false;
        }

        ushort checksum = InternetChecksum.Compute(whole);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[ChecksumOffset..], checksum == 0 ? (ushort)0xFFFF : checksum);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static FrameError Cut(ReadOnlySpan<byte> payload, out ReadOnlySpan<byte> datagram)
    {
        datagram = default;
        if (payload.Length < HeaderLength)
        {
            return FrameError.UdpTruncated;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(payload[LengthOffset..]);
        if (length < HeaderLength || length > payload.Length)
        {
            return FrameError.UdpLengthWrong;
        }

        datagram = payload[..length];
        return FrameError.None;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static FrameError Accept(ReadOnlySpan<byte> datagram, out UdpView view)
    {
        view = new UdpView(datagram);
        if (view.DestinationPort != 0)
        {
            return FrameError.None;
        }

        view = default;
        return FrameError.UdpPortZero;
    }
}
