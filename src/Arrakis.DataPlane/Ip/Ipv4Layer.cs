using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Udp;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Ip;

/// <summary>IPv4 input (RFC 791, RFC 1122 §3.2). Fragments are counted and dropped: nothing is reassembled.</summary>
internal sealed class Ipv4Layer(Ipv4Prefix address, IcmpEcho icmp, NetCounters counters)
{
    private readonly Ipv4Address _address = address.Address;

    // On a /31 or /32 there is no directed broadcast (RFC 3021).
    private readonly Ipv4Address _broadcast = address.PrefixLength >= 31 ? Ipv4Address.Broadcast : address.DirectedBroadcast;

    /// <summary>Takes an Ethernet payload. True if it is a datagram for the application.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Receive(ref ReceivedFrame frame, ReadOnlySpan<byte> payload, MacAddress from)
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
            else if (packet.Protocol == IpProtocol.Udp)
            {
                error = UdpInput.Receive(ref frame, in packet, destination);
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
