using System.Buffers.Binary;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>
/// Frames whose checksums and segments are left to the device, and an independent judge of what comes out: it has its
/// own parser and its own sums, two bytes at a time.
/// </summary>
internal static class LargeFrames
{
    public static byte[] Build(MacAddress to, MacAddress from, Ipv4Address source, Ipv4Address destination, bool isTcp, bool isIpv6, int options, int payload)
    {
        int ip = isIpv6 ? 40 : 20;
        int transport = isTcp ? 20 + options : 8;
        byte[] frame = new byte[14 + ip + transport + payload];
        EthernetView.Write(frame, to, from, isIpv6 ? EtherType.Ipv6 : EtherType.Ipv4);
        Span<byte> packet = frame.AsSpan(14);
        byte protocol = (byte)(isTcp ? IpProtocol.Tcp : IpProtocol.Udp);
        if (isIpv6)
        {
            packet[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)(transport + payload));
            packet[6] = protocol;
            packet[7] = 64;
            packet[8..40].Fill(0xFD);
            packet[39] = (byte)destination.Value;
        }
        else
        {
            Ipv4View.Write(packet, transport + payload, (IpProtocol)protocol, source, destination);
            BinaryPrimitives.WriteUInt16BigEndian(packet[4..], 0xFFF0); // wraps
            packet[10] = packet[11] = 0;
            BinaryPrimitives.WriteUInt16BigEndian(packet[10..], Fold(Sum(0, packet[..20])));
        }

        Span<byte> header = packet[ip..];
        BinaryPrimitives.WriteUInt16BigEndian(header, 1000);
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], 7);
        if (isTcp)
        {
            BinaryPrimitives.WriteUInt32BigEndian(header[4..], 0xFFFF_FF00); // wraps
            BinaryPrimitives.WriteUInt32BigEndian(header[8..], 77);
            header[12] = (byte)(transport / 4 << 4);
            header[13] = 0x99; // CWR, ACK, PSH, FIN
            BinaryPrimitives.WriteUInt16BigEndian(header[14..], 5000);
            header[20..transport].Fill(1); // no operation
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)(transport + payload));
        }

        for (int i = 0; i < payload; i++)
        {
            header[transport + i] = (byte)(i * 31 + i / 256);
        }

        return frame;
    }

    /// <summary>The header that leaves the checksum to the device and, with a size, the cutting.</summary>
    public static byte[] Header(byte[] frame, int segmentSize = 0)
    {
        (bool isIpv6, bool isTcp, int transport, int payload) = Parse(frame);
        byte[] header = new byte[VirtioNetHeader.Length];
        header[0] = VirtioNetHeader.NeedsChecksum;
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(6), (ushort)transport);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), (ushort)(isTcp ? 16 : 6));
        if (segmentSize != 0)
        {
            header[1] = isTcp ? isIpv6 ? VirtioNetHeader.SegmentTcp6 : VirtioNetHeader.SegmentTcp4 : VirtioNetHeader.SegmentUdpDatagrams;
            BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(2), (ushort)payload);
            BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(4), (ushort)segmentSize);
        }

        return header;
    }

    /// <summary>Fails unless frames are complete and together are what one large frame stands for.</summary>
    public static void AssertStandsFor(byte[] large, int segmentSize, IReadOnlyList<byte[]> frames)
    {
        (bool isIpv6, bool isTcp, int transport, int start) = Parse(large);
        int payload = large.Length - start;
        Assert.Equal((payload + segmentSize - 1) / segmentSize, frames.Count);
        byte[] gathered = new byte[payload];
        for (int i = 0; i < frames.Count; i++)
        {
            byte[] frame = frames[i];
            AssertComplete(frame);
            Assert.Equal((isIpv6, isTcp, transport, start), Parse(frame));
            int offset = i * segmentSize;
            Assert.Equal(Math.Min(segmentSize, payload - offset), frame.Length - start);
            frame.AsSpan(start).CopyTo(gathered.AsSpan(offset));
            Assert.Equal(large[..14], frame[..14]);
            if (!isIpv6)
            {
                Assert.Equal((ushort)(Word(large, 18) + i), Word(frame, 18));
                Assert.Equal(large[26..34], frame[26..34]);
            }

            Assert.Equal(large[transport..(transport + 4)], frame[transport..(transport + 4)]);
            if (isTcp)
            {
                Assert.Equal(
                    BinaryPrimitives.ReadUInt32BigEndian(large.AsSpan(transport + 4)) + (uint)offset,
                    BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(transport + 4)));
                int expected = large[transport + 13] & ~((i == frames.Count - 1 ? 0 : 0x09) | (i == 0 ? 0 : 0x80));
                Assert.Equal(expected, frame[transport + 13]);
                Assert.Equal(large[(transport + 8)..(transport + 13)], frame[(transport + 8)..(transport + 13)]);
                Assert.Equal(large[(transport + 18)..start], frame[(transport + 18)..start]);
            }
        }

        Assert.Equal(large[start..], gathered);
    }

    /// <summary>Fails unless lengths and checksums are right.</summary>
    public static void AssertComplete(byte[] frame)
    {
        (bool isIpv6, bool isTcp, int transport, _) = Parse(frame);
        if (isIpv6)
        {
            Assert.Equal(frame.Length - 54, Word(frame, 18));
        }
        else
        {
            Assert.Equal(frame.Length - 14, Word(frame, 16));
            Assert.Equal(0, Fold(Sum(0, frame.AsSpan(14, transport - 14))));
        }

        if (!isTcp)
        {
            Assert.Equal(frame.Length - transport, Word(frame, transport + 4));
            Assert.NotEqual(0, Word(frame, transport + 6));
        }

        ulong pseudo = Sum((ulong)(isTcp ? 6 : 17) + (ulong)(frame.Length - transport), isIpv6 ? frame.AsSpan(22, 32) : frame.AsSpan(26, 8));
        Assert.Equal(0, Fold(Sum(pseudo, frame.AsSpan(transport))));
    }

    private static (bool IsIpv6, bool IsTcp, int Transport, int Payload) Parse(byte[] frame)
    {
        bool isIpv6 = Word(frame, 12) == 0x86DD;
        int transport = isIpv6 ? 54 : 14 + (frame[14] & 15) * 4;
        bool isTcp = frame[isIpv6 ? 20 : 23] == 6;
        return (isIpv6, isTcp, transport, transport + (isTcp ? (frame[transport + 12] >> 4) * 4 : 8));
    }

    private static ushort Word(byte[] frame, int at) => (ushort)(frame[at] << 8 | frame[at + 1]);

    private static ulong Sum(ulong sum, ReadOnlySpan<byte> data)
    {
        for (int i = 0; i < data.Length; i += 2)
        {
            sum += (ulong)(data[i] << 8 | (i + 1 < data.Length ? data[i + 1] : 0));
        }

        return sum;
    }

    private static ushort Fold(ulong sum)
    {
        while (sum > ushort.MaxValue)
        {
            sum = (sum & ushort.MaxValue) + (sum >> 16);
        }

        return (ushort)~sum;
    }
}
