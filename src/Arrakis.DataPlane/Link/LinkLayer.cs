using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Ip;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Link;

/// <summary>Where a received frame enters the stack: Ethernet (IEEE 802.3 §3).</summary>
internal sealed class LinkLayer(MacAddress mac, int maxFrameLength, PacketPool pool, ArpProtocol arp, Ipv4Layer ip, NetCounters counters)
{
    /// <summary>Takes a frame. True if it is a datagram for the application; all else is answered or counted here and below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Receive(ref ReceivedFrame frame, long now)
    {
        frame.IsDatagram = false;
        ReadOnlySpan<byte> bytes = pool.Bytes(frame.Buffer, BufferLayout.FrameOffset, frame.Length);
        FrameError error = EthernetView.TryParse(bytes, out EthernetView ethernet);
        if (error != FrameError.None)
        {
            counters.Count(error);
            return false;
        }

        MacAddress destination = ethernet.Destination;
        if (destination != mac && destination != MacAddress.Broadcast)
        {
            counters.Count(DropReason.EthernetDestinationForeign);
            return false;
        }

        MacAddress source = ethernet.Source;
        if (!source.IsUnicast)
        {
            counters.Count(DropReason.EthernetSourceInvalid);
            return false;
        }

        // A neighbour with a larger MTU, or a device that does not hold to this one: no answer in the same buffer would fit.
        if (frame.Length > maxFrameLength)
        {
            counters.Count(DropReason.FrameTooLong);
            return false;
        }

        switch (ethernet.Type)
        {
            case EtherType.Ipv4:
                return ip.Receive(ref frame, ethernet.Payload, source, destination != mac);
            case EtherType.Arp:
                arp.Receive(ref frame, ethernet.Payload, now);
                return false;
            default:
                counters.Count(FrameError.EtherTypeUnknown);
                return false;
        }
    }
}
