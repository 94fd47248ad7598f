using System.Buffers.Binary;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Switch;

/// <summary>
/// Does in software what a receiver cannot: fills the checksum in, and cuts frames into segments (RFC 9293 for TCP; each
/// datagram is one of its own for UDP). Polling thread only.
/// </summary>
internal sealed class FrameCompletion
{
    private const int IpOffset = EthernetView.HeaderLength;
    private const int TcpSequenceOffset = 4;
    private const int TcpFlagsOffset = 13;
    private const byte OfLastSegment = 0x01 | 0x08; // FIN, PSH
    private const byte OfFirstSegment = 0x80; // CWR (RFC 3168 §6.1.2)

    private readonly byte[] _frame = GC.AllocateArray<byte>(EthernetSwitch.MaxFrameLength, pinned: true);

    /// <summary>
    /// Makes the next frame of those that a frame is to be cut into, or the only one, its checksums filled in. False
    /// where there is none any more.
    /// </summary>
    /// <param name="frame">The frame that came.</param>
    /// <param name="offload">What is to be done to it.</param>
    /// <param name="done">Bytes of it that were made into frames; starts at zero.</param>
    /// <param name="next">Valid until the next call.</param>
    public bool TryNext(ReadOnlySpan<byte> frame, in FrameOffload offload, ref int done, out ReadOnlySpan<byte> next)
    {
        next = default;
        if (done >= frame.Length)
        {
            return false;
        }

        int length = frame.Length;
        if (offload.Segments == SegmentKind.None)
        {
            done = frame.Length;
            frame.CopyTo(_frame);
        }
        else
        {
            length = Cut(frame, offload, ref done);
        }

        Span<byte> made = _frame.AsSpan(0, length);

        // Its lengths were checked when it came; those of a segment are written here.
        if (TransportHeader.TryFind(made, out TransportHeader transport))
        {
            transport.WriteChecksum(made);
        }

        next = made;
        return true;
    }

    /// <summary>
    /// Fills in a checksum of any protocol, where the header only says what it is the sum of: the kernel knows more of
    /// them than this device. False where that is not inside the frame, or the frame is to be cut too.
    /// </summary>
    public static bool TryFillChecksum(ReadOnlySpan<byte> header, Span<byte> frame)
    {
        int start = BinaryPrimitives.ReadUInt16LittleEndian(header[VirtioNetHeader.ChecksumStartOffset..]);
        int field = start + BinaryPrimitives.ReadUInt16LittleEndian(header[VirtioNetHeader.ChecksumFieldOffset..]);
        if (header[VirtioNetHeader.SegmentTypeOffset] != VirtioNetHeader.SegmentNone || field + sizeof(ushort) > frame.Length)
        {
            return false;
        }

        // What is there already is part of the sum.
        Write(frame, field, InternetChecksum.Compute(frame[start..]));
        return true;
    }

    private int Cut(ReadOnlySpan<byte> frame, in FrameOffload offload, ref int done)
    {
        int headers = offload.HeaderLength;
        int from = Math.Max(done, headers);
        int length = Math.Min(offload.SegmentSize, frame.Length - from);
        Span<byte> segment = _frame.AsSpan(0, headers + length);
        frame[..headers].CopyTo(segment);
        frame.Slice(from, length).CopyTo(segment[headers..]);
        done = from + length;

        int sent = from - headers;
        Span<byte> packet = segment[IpOffset..];
        if (offload.Segments is SegmentKind.Tcp4 or SegmentKind.Udp4)
        {
            Write(packet, 2, (ushort)packet.Length);
            Write(packet, 4, (ushort)(BinaryPrimitives.ReadUInt16BigEndian(packet[4..]) + sent / offload.SegmentSize));
            Write(packet, 10, 0);
            Write(packet, 10, InternetChecksum.Compute(packet[..(offload.TransportStart - IpOffset)]));
        }
        else
        {
            Write(packet, 4, (ushort)(packet.Length - TransportHeader.Ipv6HeaderLength));
        }

        Span<byte> transport = segment[offload.TransportStart..];
        if (offload.Segments is SegmentKind.Tcp4 or SegmentKind.Tcp6)
        {
            uint sequence = BinaryPrimitives.ReadUInt32BigEndian(transport[TcpSequenceOffset..]);
            BinaryPrimitives.WriteUInt32BigEndian(transport[TcpSequenceOffset..], sequence + (uint)sent);
            byte hidden = (byte)((done < frame.Length ? OfLastSegment : 0) | (sent > 0 ? OfFirstSegment : 0));
            transport[TcpFlagsOffset] &= (byte)~hidden;
        }
        else
        {
            Write(transport, 4, (ushort)transport.Length);
        }

        return segment.Length;
    }

    private static void Write(Span<byte> packet, int offset, ushort value) => BinaryPrimitives.WriteUInt16BigEndian(packet[offset..], value);
}
