using System.Buffers.Binary;

namespace Arrakis.Wire.Frames;

/// <summary>
/// The Toeplitz hash of receive side scaling over a frame's addresses and ports, with the key of its specification
/// ("Verifying the RSS Hash Calculation", Microsoft; virtio 1.2 §5.1.6.4.3).
/// </summary>
public static class ToeplitzHash
{
    private const int MaxInputLength = 2 * 16 + 2 * sizeof(ushort); // two IPv6 addresses, two ports
    private const int HalfBytes = 2;
    private const int Values = 16;
    private const int Ipv6HeaderLength = 40;

    private static readonly byte[] _key =
    [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
        0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
    ];

    // What each half byte of the input adds, by place and value: a table of a few lines of the cache, not of bits.
    private static readonly uint[] _parts = MakeParts();

    /// <summary>The key: 40 bytes.</summary>
    public static ReadOnlySpan<byte> Key => _key;

    /// <summary>
    /// The hash of an input with any key, bit by bit: for who chooses a port, not for each packet. Bits of the input for which
    /// the key is too short add nothing.
    /// </summary>
    public static uint Compute(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input)
    {
        uint hash = 0;
        for (int bit = 0; bit < input.Length * 8 && bit + 32 <= key.Length * 8; bit++)
        {
            if ((input[bit / 8] & 0x80 >> bit % 8) != 0)
            {
                hash ^= KeyFrom(key, bit);
            }
        }

        return hash;
    }

    /// <summary>The hash of addresses and ports as they are on the wire, at most 36 bytes.</summary>
    public static uint Compute(ReadOnlySpan<byte> input) => Add(0, 0, input[..Math.Min(input.Length, MaxInputLength)]);

    /// <summary>
    /// The hash of a frame: over addresses and ports of TCP and UDP, over addresses alone for other protocols and for
    /// fragments, which do not all have ports. Zero where the frame is not IPv4 or IPv6.
    /// </summary>
    public static uint OfFrame(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < EthernetView.HeaderLength + Ipv4View.MinHeaderLength)
        {
            return 0;
        }

        var type = (EtherType)BinaryPrimitives.ReadUInt16BigEndian(frame[12..]);
        ReadOnlySpan<byte> packet = frame[EthernetView.HeaderLength..];
        if (type == EtherType.Ipv4)
        {
            int headerLength = (packet[0] & 0xF) * 4;
            bool isFragment = (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x3FFF) != 0;
            return WithPorts(packet.Slice(12, 8), packet, isFragment ? packet.Length : headerLength, packet[9]);
        }

        return type == EtherType.Ipv6 && packet.Length >= Ipv6HeaderLength
            ? WithPorts(packet.Slice(8, 32), packet, Ipv6HeaderLength, packet[6])
            : 0;
    }

    private static uint WithPorts(ReadOnlySpan<byte> addresses, ReadOnlySpan<byte> packet, int start, byte protocol)
    {
        uint hash = Add(0, 0, addresses);
        bool hasPorts = (IpProtocol)protocol is IpProtocol.Tcp or IpProtocol.Udp && start + 4 <= packet.Length;
        return hasPorts ? Add(hash, addresses.Length, packet.Slice(start, 4)) : hash;
    }

    private static uint Add(uint hash, int place, ReadOnlySpan<byte> input)
    {
        uint[] parts = _parts;
        for (int i = 0; i < input.Length; i++)
        {
            int row = (place + i) * HalfBytes * Values;
            hash ^= parts[row + (input[i] >> 4)] ^ parts[row + Values + (input[i] & 0xF)];
        }

        return hash;
    }

    private static uint[] MakeParts()
    {
        var parts = new uint[MaxInputLength * HalfBytes * Values];
        for (int i = 0; i < parts.Length; i++)
        {
            for (int bit = 0; bit < 4; bit++)
            {
                if ((i % Values & 8 >> bit) != 0)
                {
                    parts[i] ^= KeyFrom(_key, i / Values * 4 + bit);
                }
            }
        }

        return parts;
    }

    // 32 bits of the key from a bit on; after its end there are zeros, which are shifted out.
    private static uint KeyFrom(ReadOnlySpan<byte> key, int bit)
    {
        ulong bytes = 0;
        for (int i = 0; i < 5; i++)
        {
            int at = bit / 8 + i;
            bytes = bytes << 8 | (at < key.Length ? key[at] : (byte)0);
        }

        return (uint)(bytes >> (8 - bit % 8));
    }
}
