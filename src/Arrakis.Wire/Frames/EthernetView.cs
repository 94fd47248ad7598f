using System.Buffers.Binary;

namespace Arrakis.Wire.Frames;

/// <summary>EtherTypes that this project names (IEEE 802 Numbers, IANA).</summary>
public enum EtherType : ushort
{
    /// <summary>IPv4 (RFC 894).</summary>
    Ipv4 = 0x0800,

    /// <summary>ARP (RFC 826).</summary>
    Arp = 0x0806,

    /// <summary>IEEE 802.1Q tag.</summary>
    Vlan = 0x8100,

    /// <summary>IPv6 (RFC 2464).</summary>
    Ipv6 = 0x86DD,
}

/// <summary>An Ethernet II frame without its check sequence: destination, source, type, payload (IEEE 802.3 §3.1).</summary>
public readonly ref struct EthernetView
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderLength = 14;

    /// <summary>The smallest frame on a real wire, without check sequence; shorter ones are padded.</summary>
    public const int MinFrameLength = 60;

    private readonly ReadOnlySpan<byte> _frame;

    private EthernetView(ReadOnlySpan<byte> frame) => _frame = frame;

    /// <summary>Destination address.</summary>
    public MacAddress Destination => MacAddress.Read(_frame);

    /// <summary>Source address.</summary>
    public MacAddress Source => MacAddress.Read(_frame[6..]);

    /// <summary>What the payload is.</summary>
    public EtherType Type => (EtherType)BinaryPrimitives.ReadUInt16BigEndian(_frame[12..]);

    /// <summary>All after the header, padding included.</summary>
    public ReadOnlySpan<byte> Payload => _frame[HeaderLength..];

    /// <summary>Checks the length and makes a view.</summary>
    public static FrameError TryParse(ReadOnlySpan<byte> frame, out EthernetView view)
    {
        if (frame.Length < HeaderLength)
        {
            view = default;
            return FrameError.EthernetTruncated;
        }

        view = new EthernetView(frame);
        return FrameError.None;
    }

    /// <summary>Writes a header; the payload starts at <see cref="HeaderLength"/>.</summary>
    public static void Write(Span<byte> frame, MacAddress destination, MacAddress source, EtherType type)
    {
        destination.Write(frame);
        source.Write(frame[6..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[12..], (ushort)type);
    }
}
