using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.Benchmarks.Device;

/// <summary>Frames from a neighbour 10.7.0.9 to 10.7.0.2.</summary>
internal static class BenchmarkFrames
{
    public static readonly MacAddress OwnMac = MacAddress.Parse("52:54:00:00:00:02");
    public static readonly Ipv4Address OwnAddress = Ipv4Address.Parse("10.7.0.2");

    private static readonly MacAddress s_peerMac = MacAddress.Parse("52:54:00:00:00:09");
    private static readonly Ipv4Address s_peer = Ipv4Address.Parse("10.7.0.9");

    /// <summary>A UDP frame with so many bytes of payload.</summary>
    public static byte[] Udp(int payload)
    {
        var frame = new byte[EthernetView.HeaderLength + Ipv4View.MinHeaderLength + UdpView.HeaderLength + payload];
        Span<byte> packet = frame.AsSpan(EthernetView.HeaderLength);
        Span<byte> datagram = packet[Ipv4View.MinHeaderLength..];
        datagram[UdpView.HeaderLength..].Fill(0x5A);
        UdpView.Write(datagram, s_peer, 1234, OwnAddress, 7);
        Ipv4View.Write(packet, datagram.Length, IpProtocol.Udp, s_peer, OwnAddress);
        EthernetView.Write(frame, OwnMac, s_peerMac, EtherType.Ipv4);
        return frame;
    }
}
