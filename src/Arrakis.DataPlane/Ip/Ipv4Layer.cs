using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Udp;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Ip;

/// <summary>IPv4 input (RFC 791, RFC 1122 §3.2). Fragments are counted and dropped: nothing is reassembled.</summary>
internal sealed class Ipv4Layer(Ipv4Prefix address, IcmpEcho icmp, UdpInput udp, NetCounters counters)
{
    private readonly Ipv4Address _address = address.Address;

    // On a /31 or /32 there is no directed broadcast (RFC 3021).
    private readonly Ipv4Address _broadcast = address.PrefixLength >= 31 ? Ipv4Address.Broadcast : address.DirectedBroadcast;

    /// <summary>Takes an Ethernet payload. True if it is a datagram for the application.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="payload">Its payload.</param>
    /// <param name="from">Its sender.</param>
    /// <param name="broadcast">Whether it came to all stations.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Receive(ref ReceivedFrame frame, ReadOnlySpan<byte> payload, MacAddress from, bool broadcast)
    {
        FrameError error = Ipv4View.TryParse(payload, out Ipv4View packet);
        if (error == FrameError.None)
        {
            Ipv4Address destination = packet.Destination;
            bool forThisHost = destination == _address;
            if (!forThisHost && destination != _broadcast && destination != Ipv4Address.Broadcast)
            {
                error = FrameError.Ipv4DestinationForeign;
            }
            else if (packet.Source == _broadcast || packet.Source == _address)
            {
                // Nobody else sends from this host's address, and nobody at all from a broadcast one (RFC 1122 §3.2.1.3): an
                // answer would go to all.
                error = FrameError.Ipv4SourceInvalid;
            }
            else if (broadcast && forThisHost)
            {
                counters.Count(DropReason.Ipv4UnicastInBroadcast);
                return false;
            }
            else if (packet.Protocol == IpProtocol.Udp)
            {
                error = udp.Receive(ref frame, in packet, destination);
            }
            else if (packet.Protocol == IpProtocol.Icmp)
            {
                error = icmp.Receive(ref frame, in packet, from, forThisHost);
            }
            else
            {
                error = FrameError.Ipv4ProtocolUnknown;
            }
        }

        if (error != FrameError.None)
        {
            counters.Count(error);
            return false;
        }

        return frame.IsDatagram;
    }
}
