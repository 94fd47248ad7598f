using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Udp;

/// <summary>UDP input (RFC 768): checks a datagram, once, and notes in its frame where the payload is.</summary>
internal sealed class UdpInput(PacketPool pool)
{
    /// <summary>Takes an IPv4 packet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FrameError Receive(ref ReceivedFrame frame, in Ipv4View packet, Ipv4Address destination)
    {
        Ipv4Address source = packet.Source;
        FrameError error = (frame.Offload & ReceiveOffload.ChecksumGood) != 0 && IsVouchedFor(ref frame, packet.HeaderLength)
            ? UdpView.TryParseTrusted(packet.Payload, out UdpView datagram)
            : UdpView.TryParse(packet.Payload, source, destination, out datagram);
        if (error != FrameError.None)
        {
            return error;
        }

        frame.IsDatagram = true;
        frame.PayloadOffset = (ushort)(EthernetView.HeaderLength + packet.HeaderLength + UdpView.HeaderLength);
        frame.PayloadLength = (ushort)datagram.Payload.Length;
        frame.SourcePort = datagram.SourcePort;
        frame.DestinationPort = datagram.DestinationPort;
        frame.Source = source;
        return FrameError.None;
    }

    // DATA_VALID: the device has verified it. NEEDS_CSUM: the frame has not left the machine, and csum_start and csum_offset
    // say how its checksum is to be made (virtio 1.2 §5.1.6.4): of this datagram, as the stack expects it, or of
    // something that the datagram carries. What fits neither vouches for nothing.
    private bool IsVouchedFor(ref ReceivedFrame frame, int ipHeaderLength)
    {
        if ((frame.Offload & ReceiveOffload.ChecksumPartial) == 0)
        {
            return true;
        }

        uint place = pool.ReadChecksumPlace(frame.Buffer);
        int start = (ushort)place;
        int offset = (ushort)(place >> 16);
        int udp = EthernetView.HeaderLength + ipHeaderLength;
        if (start == udp && offset == UdpView.ChecksumOffset)
        {
            return true;
        }

        frame.Offload = 0;
        if (start >= udp + UdpView.HeaderLength && start + offset <= frame.Length - sizeof(ushort))
        {
            CompleteInner(pool.Bytes(frame.Buffer, BufferLayout.FrameOffset, frame.Length)[start..], offset);
        }

        return false;
    }

    // The sum of the header before it, which is part of the sum, stands in the checksum's place.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CompleteInner(Span<byte> covered, int offset) =>
        BinaryPrimitives.WriteUInt16BigEndian(covered[offset..], InternetChecksum.Compute(covered));
}
