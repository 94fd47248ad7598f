namespace Arrakis.Wire.Igb;

/// <summary>
/// A transmit context descriptor of the Intel 82576: where the headers are in frames of which the device is to do something
/// (datasheet §7.2.2.2). A queue keeps two of them, until they are overwritten.
/// </summary>
public static class IgbTransmitContext
{
    /// <summary>Place of MACLEN in the first word, seven bits: bytes before the IP header. Below it is IPLEN, nine bits: bytes of the IP header.</summary>
    public const int LinkLengthShift = 9;

    /// <summary>Place of VLAN in the first word, sixteen bits: the tag to insert in frames that ask for one.</summary>
    public const int VlanShift = 16;

    /// <summary>TUCMD.IPV4 in the second word.</summary>
    public const ulong Ipv4 = 1UL << 10;

    /// <summary>TUCMD.L4T of TCP in the second word; that of UDP is zero.</summary>
    public const ulong Tcp = 1UL << 11;

    /// <summary>Place of IDX in the second word: which of the two it is.</summary>
    public const int IndexShift = 36;

    /// <summary>Place of L4LEN in the second word, eight bits: bytes of the TCP or UDP header.</summary>
    public const int TransportLengthShift = 40;

    /// <summary>Place of MSS in the second word, sixteen bits: bytes of payload in each segment, where a frame is to be cut.</summary>
    public const int SegmentSizeShift = 48;

    /// <summary>The first word of the context of UDP over IPv4 without options, in untagged Ethernet frames.</summary>
    public const ulong UdpOverIpv4Lengths = 14UL << LinkLengthShift | 20;

    /// <summary>The second word of that context, in slot zero.</summary>
    public const ulong UdpOverIpv4 = IgbTransmitDescriptor.Context | IgbTransmitDescriptor.Extended | Ipv4 | 8UL << TransportLengthShift;
}
