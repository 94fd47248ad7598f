namespace Arrakis.Wire.Virtio;

/// <summary>The header before each frame in a virtio-net buffer (virtio 1.2 §5.1.6): flags u8, gso_type u8, hdr_len u16, gso_size u16, csum_start u16, csum_offset u16, num_buffers u16.</summary>
public static class VirtioNetHeader
{
    /// <summary>Bytes of the header when VIRTIO_F_VERSION_1 is negotiated (num_buffers is always there).</summary>
    public const int Length = 12;

    /// <summary>Bytes of the header on a legacy device without mergeable buffers.</summary>
    public const int LegacyLength = 10;

    /// <summary>VIRTIO_NET_HDR_F_NEEDS_CSUM.</summary>
    public const byte NeedsChecksum = 1;

    /// <summary>VIRTIO_NET_HDR_F_DATA_VALID.</summary>
    public const byte DataValid = 2;

    /// <summary>Offset of gso_type; 0 is VIRTIO_NET_HDR_GSO_NONE.</summary>
    public const int GsoTypeOffset = 1;

    /// <summary>Offset of num_buffers.</summary>
    public const int BufferCountOffset = 10;
}
