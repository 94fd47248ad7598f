namespace Arrakis.Wire.Igb;

/// <summary>
/// An advanced receive descriptor of the Intel 82576: sixteen bytes, little-endian. The driver writes two addresses, that of the
/// packet's buffer and that of a header's, which is zero where headers are not split off (datasheet §7.1.5.1). The device writes
/// over both what it received (§7.1.5.2): packet type and hash into the first word, all that is named here into the second,
/// which has the address of a header's buffer before and so no <see cref="Done"/>.
/// </summary>
public static class IgbReceiveDescriptor
{
    /// <summary>Bytes of a descriptor.</summary>
    public const int Size = 16;

    /// <summary>Offset of the second word.</summary>
    public const int StatusOffset = 8;

    /// <summary>
    /// Bytes that the device may write into a buffer: SRRCTL.BSIZEPACKET of 2, in KiB. It does not know how long a buffer
    /// really is.
    /// </summary>
    public const int BufferLength = 2048;

    /// <summary>DD: the device has written the descriptor.</summary>
    public const ulong Done = 1UL << 0;

    /// <summary>EOP: the frame ends in this buffer. The other status bits mean something only then.</summary>
    public const ulong EndOfPacket = 1UL << 1;

    /// <summary>IXSM: checksums were not looked at.</summary>
    public const ulong IgnoreChecksum = 1UL << 2;

    /// <summary>UDPCS: the checksum of UDP was looked at.</summary>
    public const ulong UdpChecked = 1UL << 4;

    /// <summary>L4CS: the checksum of TCP or UDP was looked at.</summary>
    public const ulong TransportChecked = 1UL << 5;

    /// <summary>IPCS: the checksum of the IPv4 header was looked at.</summary>
    public const ulong IpChecked = 1UL << 6;

    /// <summary>L4E: the checksum of TCP or UDP is wrong.</summary>
    public const ulong TransportError = 1UL << 29;

    /// <summary>IPE: the checksum of the IPv4 header is wrong.</summary>
    public const ulong IpError = 1UL << 30;

    /// <summary>RXE: the frame was damaged on the wire; such frames come only where the device is told to store them.</summary>
    public const ulong ReceiveError = 1UL << 31;

    /// <summary>Place of the length, sixteen bits: what was written into this buffer.</summary>
    public const int LengthShift = 32;

    /// <summary>Place of the VLAN tag, sixteen bits, where one was taken out.</summary>
    public const int VlanShift = 48;
}
