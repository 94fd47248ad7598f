using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>What the device is asked to do to a frame (virtio 1.2 §5.1.6.2).</summary>
/// <param name="ChecksumStart">Offset in the frame of the first byte that the checksum covers.</param>
/// <param name="ChecksumField">Offset of the checksum from there; it holds the pseudo header's sum.</param>
/// <param name="SegmentType">How the frame is to be cut: <see cref="VirtioNetHeader.SegmentNone"/> for not at all.</param>
/// <param name="SegmentSize">Bytes of payload in each segment.</param>
/// <param name="HeadersLength">Bytes of all headers, which each segment gets.</param>
internal readonly record struct TransmitOffload(ushort ChecksumStart, ushort ChecksumField, byte SegmentType = 0, ushort SegmentSize = 0, ushort HeadersLength = 0)
{
    /// <summary>The checksum of UDP over IPv4 without options, in an untagged Ethernet frame.</summary>
    public static readonly TransmitOffload UdpOverIpv4 =
        new(EthernetView.HeaderLength + Ipv4View.MinHeaderLength, UdpView.ChecksumOffset);

    /// <summary>The features that a device must have for it.</summary>
    public VirtioFeatures Needed => VirtioFeatures.NetChecksum | SegmentType switch
    {
        VirtioNetHeader.SegmentTcp4 => VirtioFeatures.NetHostTso4,
        VirtioNetHeader.SegmentTcp6 => VirtioFeatures.NetHostTso6,
        VirtioNetHeader.SegmentUdpDatagrams => VirtioFeatures.NetHostUso,
        _ => VirtioFeatures.None,
    };

    /// <summary>The header's first eight bytes: flags, gso_type, hdr_len, gso_size, csum_start.</summary>
    public ulong Word =>
        VirtioNetHeader.NeedsChecksum
        | (ulong)SegmentType << (8 * VirtioNetHeader.SegmentTypeOffset)
        | (ulong)HeadersLength << (8 * VirtioNetHeader.HeaderLengthOffset)
        | (ulong)SegmentSize << (8 * VirtioNetHeader.SegmentSizeOffset)
        | (ulong)ChecksumStart << (8 * VirtioNetHeader.ChecksumStartOffset);
}
