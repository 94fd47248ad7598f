using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Udp;

/// <content>Several datagrams of one payload: cut by the device (USO, virtio 1.2 §5.1.6.2) where it can, and here otherwise.</content>
internal sealed partial class UdpOutput
{
    /// <summary>Datagrams that may be sent at once: as many as Linux's UDP_MAX_SEGMENTS allowed when UDP_SEGMENT came.</summary>
    public const int MaxSegments = 64;

    /// <summary>The largest payload of all of them: that of the largest datagram, as which the device gets them (RFC 791 §3.1).</summary>
    public const int MaxSegmentedPayload = ushort.MaxValue - Ipv4View.MinHeaderLength - UdpView.HeaderLength;

    private const VirtioFeatures Segmentation = VirtioFeatures.NetChecksum | VirtioFeatures.NetHostUso;

    private readonly bool _cutsInDevice;
    private readonly TransmitSegment[] _segments;

    /// <summary>Sends a copy of a payload as datagrams of one size; the last may be shorter.</summary>
    /// <param name="sourcePort">Sender's port.</param>
    /// <param name="destination">Where they go.</param>
    /// <param name="payload">All of it, also when some of it was sent before.</param>
    /// <param name="segmentSize">Bytes of payload in each datagram.</param>
    /// <param name="allowBroadcast">Whether the destination may be a broadcast address.</param>
    /// <param name="now">Nanoseconds.</param>
    /// <param name="sent">Bytes that were sent before, and then those that are. Where there is no room for the rest, that comes at the next call.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public SendOutcome SendSegments(
        ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload, int segmentSize, bool allowBroadcast, long now, ref int sent)
    {
        SendOutcome outcome = Check(destination, payload.Length, segmentSize);
        if (outcome == SendOutcome.Sent)
        {
            outcome = FindWay(destination.Address, allowBroadcast, now, out Way way);
            if (outcome == SendOutcome.Sent)
            {
                outcome = SendSegments(sourcePort, destination, payload, segmentSize, in way, now, ref sent);
            }
        }

        return outcome;
    }

    /// <summary>The same, all or nothing: no room where it would only be for some of the datagrams.</summary>
    public SendOutcome SendAllSegments(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload, int segmentSize, long now)
    {
        SendOutcome outcome = Check(destination, payload.Length, segmentSize);
        if (outcome != SendOutcome.Sent)
        {
            return outcome;
        }

        int count = Math.Max(1, (payload.Length + segmentSize - 1) / segmentSize);
        bool hasRoom = _sender.HasRoomFor(count, count) || (_cutsInDevice && count > 1 && _sender.HasRoomFor(CountSegments(payload.Length)));
        int sent = 0;
        return hasRoom ? SendSegments(sourcePort, destination, payload, segmentSize, allowBroadcast: false, now, ref sent) : SendOutcome.NoRoom;
    }

    private SendOutcome Check(UdpEndPoint destination, int length, int segmentSize) =>
        segmentSize > MaxPayload || length > MaxSegmentedPayload ? SendOutcome.TooLarge
        : length > segmentSize * MaxSegments ? SendOutcome.TooManySegments
        : destination.Port == 0 ? SendOutcome.PortInvalid
        : SendOutcome.Sent;

    private SendOutcome SendSegments(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload, int segmentSize, in Way way, long now, ref int sent)
    {
        // Begun in one manner is done in it: each datagram goes once.
        int segments = CountSegments(payload.Length);
        if (_cutsInDevice && sent == 0 && payload.Length > segmentSize && way.IsResolved && _sender.IsPostable(segments))
        {
            if (_sender.HasRoomFor(segments))
            {
                SendLarge(sourcePort, destination, payload, segmentSize, in way);
                sent = payload.Length;
                return SendOutcome.Sent;
            }

            // Where all is free and still too little, there will never be enough for one frame: then as many small ones.
            if (_sender.AwaitsRoom)
            {
                return SendOutcome.NoRoom;
            }
        }

        do
        {
            // The device counts the identification up likewise.
            int length = Math.Min(segmentSize, payload.Length - sent);
            SendOutcome outcome = SendOne(sourcePort, destination, payload.Slice(sent, length), in way, (ushort)(sent / segmentSize), now);
            if (outcome != SendOutcome.Sent)
            {
                return outcome;
            }

            sent += length;
        }
        while (sent < payload.Length);
        return SendOutcome.Sent;
    }

    // One frame as long as all datagrams, in as many buffers as it takes; only the first has headers.
    private void SendLarge(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload, int segmentSize, in Way way)
    {
        PacketPool pool = _sender.Pool;
        int length = HeadersLength + payload.Length;
        int count = 0;
        ReadOnlySpan<byte> rest = payload;
        do
        {
            _ = _sender.TryRent(out PacketBuffer buffer);
            int headers = count == 0 ? HeadersLength : 0;
            int taken = Math.Min(rest.Length, pool.BufferSize - BufferLayout.FrameOffset - headers);
            Span<byte> part = _sender.Frame(buffer, headers + taken);
            rest[..taken].CopyTo(part[headers..]);
            rest = rest[taken..];
            if (count == 0)
            {
                EthernetView.Write(part, way.Mac, _mac, EtherType.Ipv4);
                Span<byte> packet = part[EthernetView.HeaderLength..];
                Ipv4View.Write(packet, UdpView.HeaderLength + payload.Length, IpProtocol.Udp, _address, destination.Address);
                UdpView.WritePartial(packet[Ipv4View.MinHeaderLength..], UdpView.HeaderLength + payload.Length, _address, sourcePort, destination.Address, destination.Port);
            }

            _segments[count++] = new TransmitSegment(buffer, BufferLayout.FrameOffset, part.Length);
        }
        while (!rest.IsEmpty);
        _sender.Send(
            _segments.AsSpan(0, count),
            length,
            new TransmitOffload(UdpOffset, UdpView.ChecksumOffset, VirtioNetHeader.SegmentUdpDatagrams, (ushort)segmentSize, HeadersLength));
    }

    // Buffers, each filled from where a frame would begin.
    private int CountSegments(int payloadLength)
    {
        int room = _sender.Pool.BufferSize - BufferLayout.FrameOffset;
        return (HeadersLength + payloadLength + room - 1) / room;
    }
}
