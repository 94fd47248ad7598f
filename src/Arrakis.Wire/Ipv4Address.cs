using System.Buffers.Binary;
using System.Net;

namespace Arrakis.Wire;

/// <summary>An IPv4 address as one number, so that a packet's address is compared without an allocation.</summary>
/// <param name="Value">The 32 bits in host order: 10.7.0.2 is 0x0A070002.</param>
public readonly record struct Ipv4Address(uint Value) : ISpanParsable<Ipv4Address>
{
    /// <summary>Octets in an address.</summary>
    public const int Length = 4;

    /// <summary>0.0.0.0.</summary>
    public static Ipv4Address Any => default;

    /// <summary>255.255.255.255 (RFC 919).</summary>
    public static Ipv4Address Broadcast => new(uint.MaxValue);

    /// <summary>Whether this is in 224.0.0.0/4 (RFC 5771).</summary>
    public bool IsMulticast => Value >> 28 == 0xE;

    /// <summary>Whether one host may have this address: not in 0/8, 127/8, 224/4 or 240/4.</summary>
    public bool IsUnicast => Value >> 24 is not (0 or 127) && Value >> 28 < 0xE;

    /// <summary>Reads four octets.</summary>
    public static Ipv4Address Read(ReadOnlySpan<byte> source) => new(BinaryPrimitives.ReadUInt32BigEndian(source));

    /// <summary>Writes four octets.</summary>
    public void Write(Span<byte> destination) => BinaryPrimitives.WriteUInt32BigEndian(destination, Value);

    /// <summary>The same address as the class library's type (allocates).</summary>
    public IPAddress ToIPAddress()
    {
        Span<byte> octets = stackalloc byte[Length];
        Write(octets);
        return new IPAddress(octets);
    }

    /// <summary>Converts from the class library's type; an IPv4-mapped IPv6 address counts as IPv4.</summary>
    /// <exception cref="ArgumentException">The address is IPv6.</exception>
    public static Ipv4Address From(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> octets = stackalloc byte[16];
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        return address.TryWriteBytes(octets, out int written) && written == Length
            ? Read(octets)
            : throw new ArgumentException($"{address} is not an IPv4 address; this stack speaks IPv4.", nameof(address));
    }

    /// <inheritdoc/>
    public static Ipv4Address Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out Ipv4Address result)
            ? result
            : throw new FormatException($"'{s}' is not an IPv4 address; write four decimal octets such as 10.7.0.2.");

    /// <inheritdoc/>
    public static Ipv4Address Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    /// <inheritdoc/>
    /// <remarks>Strict dotted decimal: four octets, no leading zeros, no shortened or hexadecimal forms.</remarks>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out Ipv4Address result)
    {
        result = default;
        uint value = 0;
        int octets = 0;
        int at = 0;
        while (octets < Length)
        {
            int digits = 0;
            uint octet = 0;
            while (at < s.Length && char.IsAsciiDigit(s[at]) && digits < 3)
            {
                octet = octet * 10 + (uint)(s[at++] - '0');
                digits++;
            }

            if (digits == 0 || octet > 255 || (digits > 1 && s[at - digits] == '0'))
            {
                return false;
            }

            value = value << 8 | octet;
            octets++;
            if (octets < Length && (at >= s.Length || s[at++] != '.'))
            {
                return false;
            }
        }

        if (at != s.Length)
        {
            return false;
        }

        result = new Ipv4Address(value);
        return true;
    }

    /// <inheritdoc/>
    public static bool TryParse(string? s, IFormatProvider? provider, out Ipv4Address result) => TryParse(s.AsSpan(), provider, out result);

    /// <summary>Dotted decimal.</summary>
    public override string ToString() => $"{Value >> 24}.{Value >> 16 & 0xFF}.{Value >> 8 & 0xFF}.{Value & 0xFF}";
}
