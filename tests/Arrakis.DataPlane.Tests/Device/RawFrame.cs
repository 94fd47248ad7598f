using System.Buffers.Binary;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>Spoils one field of a good frame.</summary>
internal static class RawFrame
{
    private const int IpAt = EthernetView.HeaderLength;
    private const int PayloadAt = IpAt + Ipv4View.MinHeaderLength;

    /// <summary>Changes a byte.</summary>
    public static byte[] With(this byte[] frame, int at, byte value)
    {
        byte[] copy = [.. frame];
        copy[at] = value;
        return copy;
    }

    /// <summary>Changes a byte of the IPv4 header.</summary>
    public static byte[] WithIp(this byte[] frame, int at, byte value) => frame.With(IpAt + at, value);

    /// <summary>Changes a byte after the IPv4 header.</summary>
    public static byte[] WithPayload(this byte[] frame, int at, byte value) => frame.With(PayloadAt + at, value);

    public static byte[] To(this byte[] frame, MacAddress destination)
    {
        byte[] copy = [.. frame];
        destination.Write(copy);
        return copy;
    }

    public static byte[] From(this byte[] frame, MacAddress source)
    {
        byte[] copy = [.. frame];
        source.Write(copy.AsSpan(MacAddress.Length));
        return copy;
    }

    public static byte[] From(this byte[] frame, Ipv4Address source)
    {
        byte[] copy = [.. frame];
        source.Write(copy.AsSpan(IpAt + 12));
        return copy.FixIp();
    }

    /// <summary>Makes the IPv4 header's checksum right again.</summary>
    public static byte[] FixIp(this byte[] frame)
    {
        Span<byte> header = frame.AsSpan(IpAt, Ipv4View.MinHeaderLength);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.Compute(header));
        return frame;
    }

    /// <summary>Makes an ICMP message's checksum right again.</summary>
    public static byte[] FixIcmp(this byte[] frame)
    {
        IcmpView.WriteChecksum(frame.AsSpan(PayloadAt));
        return frame;
    }

    /// <summary>Puts options of no operation into the IPv4 header.</summary>
    public static byte[] WithOptions(this byte[] frame, int words)
    {
        byte[] longer = [.. frame.AsSpan(0, PayloadAt), .. Enumerable.Repeat((byte)1, words * 4), .. frame.AsSpan(PayloadAt)];
        longer[IpAt] = (byte)(0x45 + words);
        Span<byte> header = longer.AsSpan(IpAt, Ipv4View.MinHeaderLength + words * 4);
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)(longer.Length - IpAt));
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.Compute(header));
        return longer;
    }
}
