using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Ip;
using Arrakis.DataPlane.Link;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Udp;

/// <summary>What became of a datagram that was to be sent.</summary>
internal enum SendOutcome
{
    /// <summary>Posted, or waiting for the neighbour's hardware address.</summary>
    Sent,

    /// <summary>The ring or the pool has no room now.</summary>
    NoRoom,

    /// <summary>There is no way to the destination.</summary>
    NoRoute,

    /// <summary>The destination is a broadcast address, and broadcasting was not allowed.</summary>
    BroadcastRefused,

    /// <summary>The payload does not fit the MTU.</summary>
    TooLarge,

    /// <summary>The destination port is zero.</summary>
    PortInvalid,
}

/// <summary>UDP output: builds a frame round a payload and sends it.</summary>
internal sealed class UdpOutput(MacAddress mac, Ipv4Address address, int mtu, Ipv4Route route, ArpProtocol arp, FrameSender sender)
{
    /// <summary>Bytes before the payload.</summary>
    public const int HeadersLength = EthernetView.HeaderLength + Ipv4View.MinHeaderLength + UdpView.HeaderLength;

    /// <summary>The largest payload.</summary>
    public int MaxPayload { get; } = mtu - Ipv4View.MinHeaderLength - UdpView.HeaderLength;

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

        RouteKind kind = route.Find(destination.Address, out Ipv4Address neighbour);
        MacAddress to = MacAddress.Broadcast;
        bool resolved = true;
        if (kind == RouteKind.Neighbour)
        {
            resolved = arp.TryResolve(neighbour, now, out to);
        }
        else if (kind != RouteKind.Broadcast)
        {
            return SendOutcome.NoRoute;
        }
        else if (!allowBroadcast)
        {
            return SendOutcome.BroadcastRefused;
        }

        if (!sender.HasRoom || !sender.TryRent(out PacketBuffer buffer))
        {
            return SendOutcome.NoRoom;
        }

        int length = HeadersLength + payload.Length;
        Span<byte> frame = sender.Frame(buffer, length);
        payload.CopyTo(frame[HeadersLength..]);
        WriteHeaders(frame, to, sourcePort, destination);
        if (resolved)
        {
            _ = sender.TrySend(buffer, length);
        }
        else
        {
            arp.SendWhenResolved(neighbour, buffer, length, now);
        }

        return SendOutcome.Sent;
    }

    /// <summary>Turns a received frame round: its payload, as it now is, is to go back to its sender. Returns where in the frame the reply starts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int WriteReply(in ReceivedFrame received, int payloadLength)
    {
        // Options of the request are not repeated: the new headers end where the payload starts.
        int start = received.PayloadOffset - HeadersLength;
        Span<byte> frame = sender.Frame(received.Buffer, start + HeadersLength + payloadLength);
        MacAddress to = MacAddress.Read(frame[MacAddress.Length..]);
        WriteHeaders(frame[start..], to, received.DestinationPort, new UdpEndPoint(received.Source, received.SourcePort));
        return start;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void WriteHeaders(Span<byte> frame, MacAddress to, ushort sourcePort, UdpEndPoint destination)
    {
        EthernetView.Write(frame, to, mac, EtherType.Ipv4);
        Span<byte> packet = frame[EthernetView.HeaderLength..];
        Ipv4View.Write(packet, packet.Length - Ipv4View.MinHeaderLength, IpProtocol.Udp, address, destination.Address);
        UdpView.Write(packet[Ipv4View.MinHeaderLength..], address, sourcePort, destination.Address, destination.Port);
    }
}
