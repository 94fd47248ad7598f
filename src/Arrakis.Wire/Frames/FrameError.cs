namespace Arrakis.Wire.Frames;

/// <summary>Why a frame was not taken; each reason has a counter of its own.</summary>
public enum FrameError
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>Shorter than an Ethernet header.</summary>
    EthernetTruncated,

    /// <summary>An EtherType that this stack does not speak.</summary>
    EtherTypeUnknown,

    /// <summary>Shorter than an IPv4-over-Ethernet ARP packet.</summary>
    ArpTruncated,

    /// <summary>Hardware or protocol type or length is not that of IPv4 over Ethernet, or an unknown operation.</summary>
    ArpMalformed,

    /// <summary>Shorter than its IPv4 header or total length.</summary>
    Ipv4Truncated,

    /// <summary>The version is not 4.</summary>
    Ipv4VersionWrong,

    /// <summary>The header length is under 20 bytes, or the total length under the header length.</summary>
    Ipv4LengthWrong,

    /// <summary>The header checksum does not match.</summary>
    Ipv4ChecksumWrong,

    /// <summary>A fragment; this stack does not reassemble.</summary>
    Ipv4Fragment,

    /// <summary>The source is a group, broadcast or loopback address.</summary>
    Ipv4SourceInvalid,

    /// <summary>The destination is not an address of this host.</summary>
    Ipv4DestinationForeign,

    /// <summary>An IP protocol that this stack does not speak.</summary>
    Ipv4ProtocolUnknown,

    /// <summary>Shorter than an ICMP header.</summary>
    IcmpTruncated,

    /// <summary>The ICMP checksum does not match.</summary>
    IcmpChecksumWrong,

    /// <summary>An ICMP type other than echo.</summary>
    IcmpTypeUnknown,

    /// <summary>Shorter than a UDP header.</summary>
    UdpTruncated,

    /// <summary>The UDP length is under 8 or over the IP payload.</summary>
    UdpLengthWrong,

    /// <summary>The UDP checksum does not match.</summary>
    UdpChecksumWrong,

    /// <summary>The source or destination port is zero where it must not be.</summary>
    UdpPortZero,
}
