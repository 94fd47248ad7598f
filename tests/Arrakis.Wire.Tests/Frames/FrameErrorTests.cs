using System.Buffers.Binary;
using Arrakis.Wire.Frames;
using CsCheck;

namespace Arrakis.Wire.Tests.Frames;

/// <summary>Each reason, from the smallest change to a valid frame.</summary>
public sealed class FrameErrorTests
{
    private const int Ip = 14;
    private const int Udp = 34;

    [Fact]
    public void A_valid_frame_of_each_kind_has_no_error() =>
        Assert.All(FrameSamples.All(), frame => Assert.Equal(FrameError.None, FrameSamples.ParseAll(frame)));

    [Theory]
    [InlineData(0)]
    [InlineData(13)]
    public void A_frame_under_14_bytes_is_truncated(int length) =>
        Assert.Equal(FrameError.EthernetTruncated, EthernetView.TryParse(new byte[length], out _));

    [Fact]
    public void An_arp_packet_under_28_bytes_is_truncated() =>
        Assert.Equal(FrameError.ArpTruncated, ArpView.TryParse(FrameSamples.Arp().AsSpan(14, 27), out _));

    [Theory]
    [InlineData(1, 2)] // hardware type
    [InlineData(2, 9)] // protocol type
    [InlineData(4, 7)] // hardware length
    [InlineData(5, 5)] // protocol length
    [InlineData(7, 0)] // operation
    [InlineData(7, 3)]
    [InlineData(6, 1)]
    public void An_arp_packet_of_other_types_lengths_or_operation_is_malformed(int offset, byte value)
    {
        byte[] packet = FrameSamples.Arp()[14..];
        packet[offset] = value;
        Assert.Equal(FrameError.ArpMalformed, ArpView.TryParse(packet, out _));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(19)]
    public void An_ipv4_packet_under_20_bytes_is_truncated(int length) =>
        Assert.Equal(FrameError.Ipv4Truncated, Ipv4View.TryParse(FrameSamples.Udp([1, 2, 3]).AsSpan(Ip, length), out _));

    [Fact]
    public void An_ipv4_packet_under_its_total_length_is_truncated()
    {
        byte[] frame = FrameSamples.Udp([1, 2, 3]);
        Assert.Equal(FrameError.Ipv4Truncated, Ipv4View.TryParse(frame.AsSpan(Ip, frame.Length - Ip - 1), out _));
    }

    [Theory]
    [InlineData(0x35)]
    [InlineData(0x65)]
    [InlineData(0x05)]
    public void Another_version_is_named(byte versionAndLength) =>
        Assert.Equal(FrameError.Ipv4VersionWrong, ParseIpWith(0, versionAndLength));

    [Theory]
    [InlineData(0, 0x44)] // header under 20
    [InlineData(0, 0x40)]
    [InlineData(3, 19)] // total under header
    [InlineData(3, 0)]
    public void Impossible_ipv4_lengths_are_named(int offset, byte value) =>
        Assert.Equal(FrameError.Ipv4LengthWrong, ParseIpWith(offset, value));

    [Fact]
    public void Every_flipped_bit_of_an_ipv4_header_is_found()
    {
        byte[] packet = FrameSamples.Udp([1, 2, 3])[Ip..];
        for (int bit = 0; bit < 160; bit++)
        {
            packet[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.NotEqual(FrameError.None, Ipv4View.TryParse(packet, out _));
            packet[bit / 8] ^= (byte)(1 << bit % 8);
        }

        packet[8]--;
        Assert.Equal(FrameError.Ipv4ChecksumWrong, Ipv4View.TryParse(packet, out _));
    }

    [Theory]
    [InlineData(0x20, 0)] // more fragments
    [InlineData(0, 1)] // last fragment
    [InlineData(0x1F, 0xFF)]
    [InlineData(0x60, 0)] // both "don't" and "more"
    public void A_fragment_is_named(byte high, byte low)
    {
        byte[] packet = FrameSamples.Udp([1, 2, 3])[Ip..];
        packet[6] = high;
        packet[7] = low;
        FixIpv4Checksum(packet);
        Assert.Equal(FrameError.Ipv4Fragment, Ipv4View.TryParse(packet, out _));
    }

    [Theory]
    [InlineData(0x40)] // don't fragment
    [InlineData(0)]
    [InlineData(0x80)] // reserved bit: to be ignored on receipt
    public void The_other_fragment_flags_are_no_error(byte high)
    {
        byte[] packet = FrameSamples.Udp([1, 2, 3])[Ip..];
        packet[6] = high;
        FixIpv4Checksum(packet);
        Assert.Equal(FrameError.None, Ipv4View.TryParse(packet, out _));
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("127.0.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    public void A_source_that_no_host_has_is_named(string source)
    {
        byte[] packet = FrameSamples.Udp([1, 2, 3])[Ip..];
        Ipv4Address.Parse(source).Write(packet.AsSpan(12));
        FixIpv4Checksum(packet);
        Assert.Equal(FrameError.Ipv4SourceInvalid, Ipv4View.TryParse(packet, out _));
    }

    [Fact]
    public void A_short_icmp_message_is_truncated() =>
        Assert.Equal(FrameError.IcmpTruncated, IcmpView.TryParse(new byte[7], out _));

    [Fact]
    public void Every_flipped_bit_of_an_icmp_message_is_found()
    {
        byte[] message = FrameSamples.Ping([1, 2, 3, 4, 5])[34..];
        for (int bit = 0; bit < message.Length * 8; bit++)
        {
            message[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.Equal(FrameError.IcmpChecksumWrong, IcmpView.TryParse(message, out _));
            message[bit / 8] ^= (byte)(1 << bit % 8);
        }
    }

    [Fact]
    public void A_short_datagram_is_truncated() =>
        Assert.Equal(FrameError.UdpTruncated, UdpView.TryParse(new byte[7], FrameSamples.A, FrameSamples.B, out _));

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(12)]
    [InlineData(0xFFFF)]
    public void A_udp_length_under_8_or_over_the_packet_is_named(int length)
    {
        byte[] datagram = FrameSamples.Udp([1, 2, 3])[Udp..];
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), (ushort)length);
        Assert.Equal(FrameError.UdpLengthWrong, UdpView.TryParse(datagram, FrameSamples.A, FrameSamples.B, out _));
    }

    [Fact]
    public void Every_flipped_bit_of_a_datagram_is_found()
    {
        byte[] datagram = FrameSamples.Udp([1, 2, 3, 4, 5])[Udp..];
        for (int bit = 0; bit < datagram.Length * 8; bit++)
        {
            datagram[bit / 8] ^= (byte)(1 << bit % 8);
            FrameError error = UdpView.TryParse(datagram, FrameSamples.A, FrameSamples.B, out _);
            Assert.True(error is FrameError.UdpChecksumWrong or FrameError.UdpLengthWrong, $"Bit {bit}: {error}");
            datagram[bit / 8] ^= (byte)(1 << bit % 8);
        }

        Assert.Equal(FrameError.UdpChecksumWrong, UdpView.TryParse(datagram, FrameSamples.A, FrameSamples.A, out _));
    }

    [Fact]
    public void A_datagram_without_a_checksum_is_taken()
    {
        byte[] datagram = FrameSamples.Udp([1, 2, 3])[Udp..];
        datagram[6] = datagram[7] = 0;
        Assert.Equal(FrameError.None, UdpView.TryParse(datagram, FrameSamples.A, FrameSamples.B, out _));
    }

    [Fact]
    public void A_destination_port_of_zero_is_named() =>
        Assert.Equal(FrameError.UdpPortZero, UdpView.TryParse(FrameSamples.Udp([1], destinationPort: 0).AsSpan(Udp), FrameSamples.A, FrameSamples.B, out _));

    [Fact]
    public void Random_bytes_give_a_named_error_and_never_throw() =>
        Gen.Byte.Array[0, 128].Sample(frame => Enum.IsDefined(FrameSamples.ParseAll(frame)), seed: Seeds.Fixed, iter: 20_000);

    [Fact]
    public void Mutated_frames_give_a_named_error_and_never_throw() =>
        Gen.Select(Gen.Int[0, 3], Gen.Select(Gen.Int[0, 200], Gen.Byte).Array[0, 6], Gen.Int[0, 100]).Sample(
            (which, changes, cut) =>
            {
                byte[] frame = FrameSamples.All()[which];
                foreach ((int offset, byte value) in changes)
                {
                    frame[offset % frame.Length] = value;
                }

                // As if the sender had summed what it spoilt, so that the checks behind the checksum are reached.
                if (cut % 2 == 0 && frame[12] == 8)
                {
                    FixIpv4Checksum(frame.AsSpan(Ip));
                }

                return Enum.IsDefined(FrameSamples.ParseAll(frame.AsSpan(0, Math.Max(0, frame.Length - (cut > 50 ? cut - 50 : 0)))));
            },
            seed: Seeds.Fixed,
            iter: 20_000);

    internal static void FixIpv4Checksum(Span<byte> packet)
    {
        int length = Math.Min(packet.Length, Math.Max(12, (packet[0] & 0xF) * 4));
        packet[10] = packet[11] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], InternetChecksum.Compute(packet[..length]));
    }

    private static FrameError ParseIpWith(int offset, byte value)
    {
        byte[] packet = FrameSamples.Udp([1, 2, 3])[Ip..];
        packet[offset] = value;
        return Ipv4View.TryParse(packet, out _);
    }
}
