using System.Buffers.Binary;
using Arrakis.Wire.Frames;
using CsCheck;

namespace Arrakis.Wire.Tests.Frames;

public sealed class FrameRoundTripTests
{
    [Fact]
    public void A_written_ethernet_header_is_read_back() =>
        Gen.Select(Gen.ULong[0, 0xFFFF_FFFF_FFFF], Gen.ULong[0, 0xFFFF_FFFF_FFFF], Gen.UShort, Gen.Byte.Array[0, 64]).Sample(
            (destination, source, type, payload) =>
            {
                byte[] frame = new byte[EthernetView.HeaderLength + payload.Length];
                payload.CopyTo(frame, EthernetView.HeaderLength);
                EthernetView.Write(frame, new(destination), new(source), (EtherType)type);
                return EthernetView.TryParse(frame, out EthernetView view) == FrameError.None
                    && view.Destination.Value == destination
                    && view.Source.Value == source
                    && view.Type == (EtherType)type
                    && view.Payload.SequenceEqual(payload);
            },
            seed: Seeds.Fixed);

    [Fact]
    public void A_written_arp_packet_is_read_back() =>
        Gen.Select(Gen.Bool, Gen.ULong[0, 0xFFFF_FFFF_FFFF], Gen.UInt, Gen.ULong[0, 0xFFFF_FFFF_FFFF], Gen.UInt).Sample(
            (request, senderMac, sender, targetMac, target) =>
            {
                byte[] packet = new byte[ArpView.Length + 18];
                ArpOperation operation = request ? ArpOperation.Request : ArpOperation.Reply;
                ArpView.Write(packet, operation, new(senderMac), new(sender), new(targetMac), new(target));
                return ArpView.TryParse(packet, out ArpView view) == FrameError.None
                    && view.Operation == operation
                    && view.SenderMac.Value == senderMac
                    && view.SenderAddress.Value == sender
                    && view.TargetMac.Value == targetMac
                    && view.TargetAddress.Value == target;
            },
            seed: Seeds.Fixed);

    [Fact]
    public void A_written_datagram_is_read_back_and_padding_is_cut_off() =>
        Gen.Select(Gen.Byte.Array[0, 1472], Gen.UShort, Gen.UShort[1, ushort.MaxValue], Gen.Int[0, 60]).Sample(
            (payload, sourcePort, destinationPort, padding) =>
            {
                byte[] frame = FrameSamples.Udp(payload, sourcePort, destinationPort, padding);
                Assert.Equal(FrameError.None, EthernetView.TryParse(frame, out EthernetView ethernet));
                Assert.Equal(FrameError.None, Ipv4View.TryParse(ethernet.Payload, out Ipv4View ip));
                Assert.Equal(FrameError.None, UdpView.TryParse(ip.Payload, ip.Source, ip.Destination, out UdpView udp));
                Assert.Equal(Ipv4View.MinHeaderLength, ip.HeaderLength);
                Assert.Equal(Ipv4View.DefaultTimeToLive, ip.TimeToLive);
                Assert.Equal(28 + payload.Length, ip.TotalLength);
                Assert.Equal((FrameSamples.A, FrameSamples.B), (ip.Source, ip.Destination));
                Assert.Equal((sourcePort, destinationPort), (udp.SourcePort, udp.DestinationPort));
                Assert.True(udp.Payload.SequenceEqual(payload));
            },
            seed: Seeds.Fixed,
            iter: 500);

    [Fact]
    public void A_written_checksum_is_never_the_one_that_means_none()
    {
        // The two octets run through all values, so that the sum meets 0xFFFF once.
        byte[] payload = new byte[2];
        int seen = 0;
        for (int value = 0; value <= ushort.MaxValue; value++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)value);
            byte[] frame = FrameSamples.Udp(payload);
            ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(40));
            Assert.NotEqual(0, checksum);
            seen += checksum == 0xFFFF ? 1 : 0;
            Assert.Equal(FrameError.None, FrameSamples.ParseAll(frame));
        }

        Assert.True(seen > 0, "No payload had the sum that the rule is about.");
    }

    [Fact]
    public void Header_options_are_skipped()
    {
        byte[] packet = new byte[60 + 4];
        Ipv4View.Write(packet, 44, (IpProtocol)253, FrameSamples.A, FrameSamples.B);
        packet[0] = 0x4F;
        packet[60] = 0xAB;
        FrameErrorTests.FixIpv4Checksum(packet);
        Assert.Equal(FrameError.None, Ipv4View.TryParse(packet, out Ipv4View view));
        Assert.Equal(60, view.HeaderLength);
        Assert.Equal(4, view.Payload.Length);
        Assert.Equal(0xAB, view.Payload[0]);
    }

    [Fact]
    public void A_written_echo_request_is_read_back() =>
        Gen.Byte.Array[0, 1472].Sample(
            payload =>
            {
                byte[] frame = FrameSamples.Ping(payload);
                Assert.Equal(FrameError.None, Ipv4View.TryParse(frame.AsSpan(14), out Ipv4View ip));
                Assert.Equal(FrameError.None, IcmpView.TryParse(ip.Payload, out IcmpView icmp));
                return icmp.Type == IcmpType.EchoRequest && icmp.Code == 0 && icmp.Message[8..].SequenceEqual(payload);
            },
            seed: Seeds.Fixed);
}
