using System.Buffers.Binary;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Switch;

/// <summary>How a frame is to be cut.</summary>
internal enum SegmentKind : byte
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Into TCP segments over IPv4.</summary>
    Tcp4,

    /// <summary>Into TCP segments over IPv6.</summary>
    Tcp6,

    /// <summary>Into UDP datagrams over IPv4.</summary>
    Udp4,

    /// <summary>Into UDP datagrams over IPv6.</summary>
    Udp6,
}

/// <summary>What is still to be done to a frame (virtio 1.2 §5.1.6.2), after it was checked against the frame's own headers.</summary>
/// <param name="Segments">How it is to be cut.</param>
/// <param name="NeedsChecksum">Whether its transport checksum is that of the pseudo header only.</param>
/// <param name="TransportStart">Offset of the TCP or UDP header.</param>
/// <param name="ChecksumOffset">Offset of the checksum in it.</param>
/// <param name="HeaderLength">Bytes before the payload, where it is to be cut.</param>
/// <param name="SegmentSize">Bytes of payload in each segment but the last.</param>
internal readonly record struct FrameOffload(
    SegmentKind Segments,
    bool NeedsChecksum,
    ushort TransportStart,
    ushort ChecksumOffset,
    ushort HeaderLength,
    ushort SegmentSize)
{
    /// <summary>Segments that one frame may be cut into: more would rob the neighbours of the core.</summary>
    public const int MaxSegments = 1024;

    /// <summary>The frame is complete.</summary>
    public static readonly FrameOffload None;

    /// <summary>Whether the frame is complete.</summary>
    public bool IsNone => !NeedsChecksum;

    /// <summary>What a driver must have negotiated to get the frame as it is.</summary>
    public VirtioFeatures GuestFeatures => Segments switch
    {
        SegmentKind.Tcp4 => VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetGuestTso4,
        SegmentKind.Tcp6 => VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetGuestTso6,
        SegmentKind.Udp4 => VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetGuestUso4,
        SegmentKind.Udp6 => VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetGuestUso6,
        _ => NeedsChecksum ? VirtioFeatures.NetGuestChecksum : VirtioFeatures.None,
    };

    /// <summary>Whether a header asks for nothing; most do.</summary>
    public static bool AsksForNothing(ReadOnlySpan<byte> header) =>
        (header[VirtioNetHeader.FlagsOffset] & VirtioNetHeader.NeedsChecksum) == 0 && header[VirtioNetHeader.SegmentTypeOffset] == VirtioNetHeader.SegmentNone;

    /// <summary>Reads and checks what a header asks for. False where it was not negotiated, or does not fit the frame.</summary>
    /// <param name="header">The virtio-net header.</param>
    /// <param name="frame">The frame, in memory that nobody else can change. Where its checksum is partial, it is made anew.</param>
    /// <param name="offered">What was negotiated.</param>
    /// <param name="maxLength">The longest frame, and so the longest segment.</param>
    /// <param name="offload">What is to be done.</param>
    public static bool TryRead(ReadOnlySpan<byte> header, Span<byte> frame, VirtioFeatures offered, int maxLength, out FrameOffload offload)
    {
        offload = None;
        bool needsChecksum = (header[VirtioNetHeader.FlagsOffset] & VirtioNetHeader.NeedsChecksum) != 0;
        if (!needsChecksum || (offered & VirtioFeatures.NetChecksum) == 0 || !TransportHeader.TryFind(frame, out TransportHeader transport))
        {
            // A frame that is to be cut needs checksums too (§5.1.6.2.1).
            return false;
        }

        if (Read(header, VirtioNetHeader.ChecksumStartOffset) != transport.Start || Read(header, VirtioNetHeader.ChecksumFieldOffset) != transport.ChecksumOffset)
        {
            return false;
        }

        offload = new FrameOffload(SegmentKind.None, true, (ushort)transport.Start, (ushort)transport.ChecksumOffset, 0, 0);
        if (header[VirtioNetHeader.SegmentTypeOffset] != VirtioNetHeader.SegmentNone && !TryReadSegments(header, frame, offered, maxLength, transport, ref offload))
        {
            return false;
        }

        transport.WritePartialChecksum(frame);
        return true;
    }

    /// <summary>Writes the header of a frame that is passed on as it is.</summary>
    public void Write(Span<byte> header)
    {
        header.Clear();
        header[VirtioNetHeader.BufferCountOffset] = 1;
        if (!NeedsChecksum)
        {
            return;
        }

        header[VirtioNetHeader.FlagsOffset] = VirtioNetHeader.NeedsChecksum;
        Write(header, VirtioNetHeader.ChecksumStartOffset, TransportStart);
        Write(header, VirtioNetHeader.ChecksumFieldOffset, ChecksumOffset);
        if (Segments != SegmentKind.None)
        {
            header[VirtioNetHeader.SegmentTypeOffset] = Segments switch
            {
                SegmentKind.Tcp4 => VirtioNetHeader.SegmentTcp4,
                SegmentKind.Tcp6 => VirtioNetHeader.SegmentTcp6,
                _ => VirtioNetHeader.SegmentUdpDatagrams,
            };
            Write(header, VirtioNetHeader.HeaderLengthOffset, HeaderLength);
            Write(header, VirtioNetHeader.SegmentSizeOffset, SegmentSize);
        }
    }

    private static bool TryReadSegments(
        ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame, VirtioFeatures offered, int maxLength, in TransportHeader transport, ref FrameOffload offload)
    {
        bool isTcp = transport.Protocol == IpProtocol.Tcp;
        (SegmentKind kind, VirtioFeatures needed) = header[VirtioNetHeader.SegmentTypeOffset] switch
        {
            VirtioNetHeader.SegmentTcp4 when isTcp && !transport.IsIpv6 => (SegmentKind.Tcp4, VirtioFeatures.NetHostTso4),
            VirtioNetHeader.SegmentTcp6 when isTcp && transport.IsIpv6 => (SegmentKind.Tcp6, VirtioFeatures.NetHostTso6),
            VirtioNetHeader.SegmentUdpDatagrams when !isTcp => (transport.IsIpv6 ? SegmentKind.Udp6 : SegmentKind.Udp4, VirtioFeatures.NetHostUso),
            _ => (SegmentKind.None, VirtioFeatures.None),
        };

        // The driver's header length is a hint, which may be absent or too long, never too short (§5.1.6.2.2).
        int headers = transport.PayloadStart(frame);
        int hint = Read(header, VirtioNetHeader.HeaderLengthOffset);
        int size = Read(header, VirtioNetHeader.SegmentSizeOffset);
        int payload = frame.Length - headers;
        if (kind == SegmentKind.None || (offered & needed) == 0
            || transport.End != frame.Length
            || payload <= 0
            || (hint != 0 && (hint < headers || hint > frame.Length))
            || size == 0
            || headers + Math.Min(size, payload) > maxLength
            || (payload - 1) / size >= MaxSegments)
        {
            return false;
        }

        offload = offload with { Segments = kind, HeaderLength = (ushort)headers, SegmentSize = (ushort)size };
        return true;
    }

    private static int Read(ReadOnlySpan<byte> header, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(header[offset..]);

    private static void Write(Span<byte> header, int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(header[offset..], value);
}
