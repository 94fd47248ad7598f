using System.Buffers.Binary;

namespace Arrakis.Wire.Frames;

/// <summary>IP protocols that this project names (IANA Protocol Numbers).</summary>
public enum IpProtocol : byte
{
    /// <summary>ICMP (RFC 792).</summary>
    Icmp = 1,

    /// <summary>TCP (RFC 9293).</summary>
    Tcp = 6,

    /// <summary>UDP (RFC 768).</summary>
    Udp = 17,
}

/// <summary>An IPv4 packet (RFC 791 §3.1), its padding cut off.</summary>
public readonly ref struct Ipv4View
{
    /// <summary>Bytes of a header without options.</summary>
    public const int MinHeaderLength = 20;

    /// <summary>Time to live of what this host sends (RFC 1700's default).</summary>
    public const byte DefaultTimeToLive = 64;

    private const int TotalLengthOffset = 2;
    private const int IdentificationOffset = 4;
    private const int FragmentOffset = 6;
    private const int TimeToLiveOffset = 8;
    private const int ProtocolOffset = 9;
    private const int ChecksumOffset = 10;
    private const int SourceOffset = 12;
    private const int DestinationOffset = 16;

    private const ushort DoNotFragment = 0x4000;
    private const ushort MoreFragmentsAndOffset = 0x3FFF;

    private readonly ReadOnlySpan<byte> _packet;

    private Ipv4View(ReadOnlySpan<byte> packet, int headerLength)
    {
        _packet = packet;
        HeaderLength = headerLength;
    }

    /// <summary>Bytes of the header, options included.</summary>
    public int HeaderLength { get; }

    /// <summary>Bytes of the packet.</summary>
    public int TotalLength => _packet.Length;

    /// <summary>Hops left.</summary>
    public byte TimeToLive => _packet[TimeToLiveOffset];

    /// <summary>What the payload is.</summary>
    public IpProtocol Protocol => (IpProtocol)_packet[ProtocolOffset];

    /// <summary>Sender.</summary>
    public Ipv4Address Source => Ipv4Address.Read(_packet[SourceOffset..]);

    /// <summary>Receiver.</summary>
    public Ipv4Address Destination => Ipv4Address.Read(_packet[DestinationOffset..]);

    /// <summary>All after the header.</summary>
    public ReadOnlySpan<byte> Payload => _packet[HeaderLength..];

    /// <summary>Checks version, lengths, checksum, fragmentation and source of an Ethernet payload, and makes a view.</summary>
    /// <remarks>Fragments are rejected: this stack does not reassemble (RFC 1122 §3.3.2 leaves that to hosts that accept them).</remarks>
    public static FrameError TryParse(ReadOnlySpan<byte> payload, out Ipv4View view)
    {
        view = default;
        if (payload.Length < MinHeaderLength)
        {
            return FrameError.Ipv4Truncated;
        }

        byte versionAndLength = payload[0];
        if (versionAndLength >> 4 != 4)
        {
            return FrameError.Ipv4VersionWrong;
        }

        int headerLength = (versionAndLength & 0xF) * 4;
        int totalLength = BinaryPrimitives.ReadUInt16BigEndian(payload[TotalLengthOffset..]);
        if (headerLength < MinHeaderLength || totalLength < headerLength)
        {
            return FrameError.Ipv4LengthWrong;
        }

        if (totalLength > payload.Length)
        {
            return FrameError.Ipv4Truncated;
        }

        if (InternetChecksum.Compute(payload[..headerLength]) != 0)
        {
            return FrameError.Ipv4ChecksumWrong;
        }

        if ((BinaryPrimitives.ReadUInt16BigEndian(payload[FragmentOffset..]) & MoreFragmentsAndOffset) != 0)
        {
            return FrameError.Ipv4Fragment;
        }

        view = new Ipv4View(payload[..totalLength], headerLength);
        if (!view.Source.IsUnicast)
        {
            view = default;
            return FrameError.Ipv4SourceInvalid;
        }

        return FrameError.None;
    }

    /// <summary>Writes a header without options, checksum included; the payload starts at <see cref="MinHeaderLength"/>.</summary>
    /// <param name="packet">At least 20 bytes.</param>
    /// <param name="payloadLength">Bytes after the header.</param>
    /// <param name="protocol">What the payload is.</param>
    /// <param name="source">Sender.</param>
    /// <param name="destination">Receiver.</param>
    /// <param name="identification">Means nothing in a datagram that nobody may fragment; devices that cut one into several count it up.</param>
    public static void Write(Span<byte> packet, int payloadLength, IpProtocol protocol, Ipv4Address source, Ipv4Address destination, ushort identification = 0)
    {
        packet[0] = 0x45;
        packet[1] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(packet[TotalLengthOffset..], checked((ushort)(MinHeaderLength + payloadLength)));

        // An atomic datagram: DF set, identification free to be zero (RFC 6864 §4.1).
        BinaryPrimitives.WriteUInt16BigEndian(packet[IdentificationOffset..], identification);
        BinaryPrimitives.WriteUInt16BigEndian(packet[FragmentOffset..], DoNotFragment);
        packet[TimeToLiveOffset] = DefaultTimeToLive;
        packet[ProtocolOffset] = (byte)protocol;
        BinaryPrimitives.WriteUInt16BigEndian(packet[ChecksumOffset..], 0);
        source.Write(packet[SourceOffset..]);
        destination.Write(packet[DestinationOffset..]);
        BinaryPrimitives.WriteUInt16BigEndian(packet[ChecksumOffset..], InternetChecksum.Compute(packet[..MinHeaderLength]));
    }
}
