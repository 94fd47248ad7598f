using Arrakis.DataPlane.Link;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Ip;

/// <summary>Answers echo requests in place (RFC 792; RFC 1122 §3.2.2.6).</summary>
internal sealed class IcmpEcho(MacAddress mac, Ipv4Address address, FrameSender sender, NetCounters counters)
{
    private const int HeadersLength = EthernetView.HeaderLength + Ipv4View.MinHeaderLength;

    /// <summary>Takes an ICMP message.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="packet">The packet in it.</param>
    /// <param name="from">The frame's sender.</param>
    /// <param name="forThisHost">Whether it came to this host's own address and not to a broadcast one.</param>
    public FrameError Receive(ref ReceivedFrame frame, in Ipv4View packet, MacAddress from, bool forThisHost)
    {
        FrameError error = IcmpView.TryParse(packet.Payload, out IcmpView message);
        if (error != FrameError.None)
        {
            return error;
        }

        if (message.Type != IcmpType.EchoRequest)
        {
            return FrameError.IcmpTypeUnknown;
        }

        // A request to a broadcast address may be left unanswered (RFC 1122 §3.2.2.6), and is.
        counters.CountEcho();
        if (forThisHost)
        {
            Answer(ref frame, packet.Source, from, EthernetView.HeaderLength + packet.HeaderLength, message.Message.Length);
        }

        return FrameError.None;
    }

    private void Answer(ref ReceivedFrame frame, Ipv4Address to, MacAddress toMac, int messageOffset, int messageLength)
    {
        // Options of the request are not repeated: the new headers end where the message starts.
        int start = messageOffset - HeadersLength;
        int length = HeadersLength + messageLength;
        Span<byte> reply = sender.Frame(frame.Buffer, start + length)[start..];
        EthernetView.Write(reply, toMac, mac, EtherType.Ipv4);
        Ipv4View.Write(reply[EthernetView.HeaderLength..], messageLength, IpProtocol.Icmp, address, to);
        Span<byte> message = reply[HeadersLength..];
        message[0] = (byte)IcmpType.EchoReply;
        IcmpView.WriteChecksum(message);
        _ = sender.TryReply(ref frame, start, length);
    }
}
