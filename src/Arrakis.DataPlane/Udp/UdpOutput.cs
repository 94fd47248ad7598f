using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Ip;
using Arrakis.DataPlane.Link;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Udp;

/// <summary>UDP output: builds a frame round a payload and sends it.</summary>
internal sealed partial class UdpOutput
{
    /// <summary>Bytes before the payload.</summary>
    public const int HeadersLength = EthernetView.HeaderLength + Ipv4View.MinHeaderLength + UdpView.HeaderLength;

    /// <summary>Payloads below this get their checksum here even if the device would fill it in: what that takes is less than what is saved.</summary>
    public const int MinOffloadedPayload = 256;

    private const int UdpOffset = HeadersLength - UdpView.HeaderLength;

    private readonly MacAddress _mac;
    private readonly Ipv4Address _address;
    private readonly Ipv4Route _route;
    private readonly ArpProtocol _arp;
    private readonly FrameSender _sender;
    private readonly int _minOffloaded; // Payloads from this length on leave the checksum to the device.

    public UdpOutput(MacAddress mac, Ipv4Address address, int mtu, Ipv4Route route, ArpProtocol arp, FrameSender sender, VirtioFeatures features)
    {
        _mac = mac;
        _address = address;
        _route = route;
        _arp = arp;
        _sender = sender;
        MaxPayload = mtu - Ipv4View.MinHeaderLength - UdpView.HeaderLength;
        _minOffloaded = (features & VirtioFeatures.NetChecksum) != 0 ? MinOffloadedPayload : int.MaxValue;
        _cutsInDevice = (features & Segmentation) == Segmentation;
        _segments = new TransmitSegment[_cutsInDevice ? CountSegments(MaxSegmentedPayload) : 0];
    }

    /// <summary>The largest payload.</summary>
    public int MaxPayload { get; }

    /// <summary>Sends a copy of a payload.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public SendOutcome Send(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload, bool allowBroadcast, long now)
    {
        if (payload.Length > MaxPayload)
        {
            return SendOutcome.TooLarge;
        }

        if (destination.Port == 0)
        {
            return SendOutcome.PortInvalid;
        }

        SendOutcome outcome = FindWay(destination.Address, allowBroadcast, now, out Way way);
        return outcome == SendOutcome.Sent ? SendOne(sourcePort, destination, payload, in way, 0, now) : outcome;
    }

    /// <summary>
    /// Turns a received frame round: its payload, as it now is, is to go back to its sender. Returns where in the frame the
    /// reply starts. The frame says from now on what its new checksum is.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int WriteReply(ref ReceivedFrame received, int payloadLength)
    {
        // Options of the request are not repeated: the new headers end where the payload starts.
        int start = received.PayloadOffset - HeadersLength;
        Span<byte> frame = _sender.Frame(received.Buffer, start + HeadersLength + payloadLength);
        MacAddress to = MacAddress.Read(frame[MacAddress.Length..]);
        bool isPartial = payloadLength >= _minOffloaded;
        WriteHeaders(frame[start..], to, received.DestinationPort, new UdpEndPoint(received.Source, received.SourcePort), isPartial, 0);
        received.Offload = isPartial ? ReceiveOffload.ChecksumPartial : (ushort)0;
        return start;
    }

    /// <summary>
    /// The offset, in what is to be posted of a received frame, of the UDP header whose checksum the device can fill in; zero
    /// where there is none. A checksum that only the reader of the frame could have made is made here.
    /// </summary>
    public int FinishChecksum(ref ReceivedFrame received, int offset, int length)
    {
        int udp = received.PayloadOffset - UdpView.HeaderLength;

        // The device sums up to the end of the frame (virtio 1.2 §5.1.6.2), so there must be no padding; and no other headers.
        if (_minOffloaded != int.MaxValue && udp - offset == UdpOffset && EndsWithDatagram(in received, offset + length))
        {
            return UdpOffset;
        }

        CompleteChecksum(ref received);
        return 0;
    }

    /// <summary>Makes the whole checksum of a received frame, or of the reply in it, that has only the pseudo header's sum.</summary>
    public void CompleteChecksum(ref ReceivedFrame received)
    {
        received.Offload = 0;
        int udp = received.PayloadOffset - UdpView.HeaderLength;
        _ = UdpView.TryComplete(_sender.Pool.Bytes(received.Buffer, BufferLayout.FrameOffset + udp, _sender.Pool.BufferSize - BufferLayout.FrameOffset - udp));
    }

    private bool EndsWithDatagram(in ReceivedFrame received, int end)
    {
        int udp = received.PayloadOffset - UdpView.HeaderLength;
        return BinaryPrimitives.ReadUInt16BigEndian(_sender.Pool.Bytes(received.Buffer, BufferLayout.FrameOffset + udp + UdpView.LengthOffset, sizeof(ushort))) == end - udp;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private SendOutcome FindWay(Ipv4Address destination, bool allowBroadcast, long now, out Way way)
    {
        RouteKind kind = _route.Find(destination, out Ipv4Address neighbour);
        MacAddress to = MacAddress.Broadcast;
        bool isResolved = true;
        SendOutcome outcome = SendOutcome.Sent;
        if (kind == RouteKind.Neighbour)
        {
            isResolved = _arp.TryResolve(neighbour, now, out to);
        }
        else if (kind != RouteKind.Broadcast)
        {
            outcome = SendOutcome.NoRoute;
        }
        else if (!allowBroadcast)
        {
            outcome = SendOutcome.BroadcastRefused;
        }

        way = new Way(to, neighbour, isResolved);
        return outcome;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private SendOutcome SendOne(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload, in Way way, ushort identification, long now)
    {
        if (!_sender.HasRoom || !_sender.TryRent(out PacketBuffer buffer))
        {
            return SendOutcome.NoRoom;
        }

        int length = HeadersLength + payload.Length;
        Span<byte> frame = _sender.Frame(buffer, length);
        payload.CopyTo(frame[HeadersLength..]);

        // Whoever sends a frame that waited knows no offload.
        bool isPartial = payload.Length >= _minOffloaded && way.IsResolved;
        WriteHeaders(frame, way.Mac, sourcePort, destination, isPartial, identification);
        if (way.IsResolved)
        {
            _ = _sender.TrySend(buffer, length, isPartial ? UdpOffset : 0);
        }
        else
        {
            _arp.SendWhenResolved(way.Neighbour, buffer, length, now);
        }

        return SendOutcome.Sent;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void WriteHeaders(Span<byte> frame, MacAddress to, ushort sourcePort, UdpEndPoint destination, bool isPartial, ushort identification)
    {
        EthernetView.Write(frame, to, _mac, EtherType.Ipv4);
        Span<byte> packet = frame[EthernetView.HeaderLength..];
        Ipv4View.Write(packet, packet.Length - Ipv4View.MinHeaderLength, IpProtocol.Udp, _address, destination.Address, identification);
        Span<byte> datagram = packet[Ipv4View.MinHeaderLength..];
        if (isPartial)
        {
            UdpView.WritePartial(datagram, datagram.Length, _address, sourcePort, destination.Address, destination.Port);
        }
        else
        {
            UdpView.Write(datagram, _address, sourcePort, destination.Address, destination.Port);
        }
    }

    // To whom a frame goes.
    private readonly record struct Way(MacAddress Mac, Ipv4Address Neighbour, bool IsResolved);
}
