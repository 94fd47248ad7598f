using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Udp;

/// <summary>UDP input (RFC 768): checks a datagram, once, and notes in its frame where the payload is.</summary>
internal static class UdpInput
{
    /// <summary>Takes an IPv4 packet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FrameError Receive(ref ReceivedFrame frame, in Ipv4View packet, Ipv4Address destination)
    {
        Ipv4Address source = packet.Source;
        FrameError error = UdpView.TryParse(packet.Payload, source, destination, out UdpView datagram);
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
}
