namespace Arrakis.Wire.Virtio;

/// <summary>The header before each frame in a virtio-net buffer (virtio 1.2 §5.1.6): flags u8, gso_type u8, hdr_len u16, gso_size u16, csum_start u16, csum_offset u16, num_buffers u16.</summary>
public static class VirtioNetHeader
{
    /// <summary>Bytes of the header when VIRTIO_F_VERSION_1 is negotiated (num_buffers is always there).</summary>
    public const int Length = 12;

    /// <summary>Bytes of the header on a legacy device without mergeable buffers.</summary>
    public const int LegacyLength = 10;

    /// <summary>VIRTIO_NET_HDR_F_NEEDS_CSUM: from csum_start on, the sum is to be put at csum_offset after it.</summary>
    public const byte NeedsChecksum = 1;

    /// <summary>VIRTIO_NET_HDR_F_DATA_VALID: the device has checked the checksum.</summary>
    public const byte DataValid = 2;

    /// <summary>VIRTIO_NET_HDR_GSO_NONE: one frame as it is.</summary>
    public const byte SegmentNone = 0;

    /// <summary>VIRTIO_NET_HDR_GSO_TCPV4: to be cut into TCP segments over IPv4.</summary>
    public const byte SegmentTcp4 = 1;

    /// <summary>VIRTIO_NET_HDR_GSO_UDP: to be cut into IP fragments (UFO).</summary>
    public const byte SegmentUdpFragments = 3;

    /// <summary>VIRTIO_NET_HDR_GSO_TCPV6: to be cut into TCP segments over IPv6.</summary>
    public const byte SegmentTcp6 = 4;

    /// <summary>VIRTIO_NET_HDR_GSO_UDP_L4: to be cut into UDP datagrams (USO).</summary>
    public const byte SegmentUdpDatagrams = 5;

    /// <summary>VIRTIO_NET_HDR_GSO_ECN: with a TCP type, the frame has ECN set.</summary>
    public const byte SegmentEcn = 0x80;

    /// <summary>Offset of flags.</summary>
    public const int FlagsOffset = 0;

    /// <summary>Offset of gso_type.</summary>
    public const int SegmentTypeOffset = 1;

    /// <summary>Offset of hdr_len.</summary>
    public const int HeaderLengthOffset = 2;

    /// <summary>Offset of gso_size.</summary>
    public const int SegmentSizeOffset = 4;

    /// <summary>Offset of csum_start.</summary>
    public const int ChecksumStartOffset = 6;

    /// <summary>Offset of csum_offset.</summary>
    public const int ChecksumFieldOffset = 8;

    /// <summary>Offset of num_buffers.</summary>
    public const int BufferCountOffset = 10;
}
