using System.Buffers.Binary;
using System.Globalization;

namespace Arrakis.Wire;

/// <summary>An IEEE 802 48-bit MAC address.</summary>
public readonly record struct MacAddress : ISpanParsable<MacAddress>
{
    /// <summary>Octets in an address.</summary>
    public const int Length = 6;

    private readonly ulong _value;

    /// <summary>Makes an address from its 48 bits, first octet in the most significant byte.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More than 48 bits are set.</exception>
    public MacAddress(ulong value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 0xFFFF_FFFF_FFFFUL);
        _value = value;
    }

    /// <summary>ff:ff:ff:ff:ff:ff.</summary>
    public static MacAddress Broadcast => new(0xFFFF_FFFF_FFFFUL);

    /// <summary>The 48 bits, first octet in the most significant byte.</summary>
    public ulong Value => _value;

    /// <summary>Whether the group bit is set (broadcast included).</summary>
    public bool IsMulticast => (_value >> 40 & 1) != 0;

    /// <summary>Whether this may be the address of one station: not zero and not a group.</summary>
    public bool IsUnicast => _value != 0 && !IsMulticast;

    /// <summary>Reads the first six octets of <paramref name="source"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than six octets.</exception>
    public static MacAddress Read(ReadOnlySpan<byte> source) =>
        new((ulong)BinaryPrimitives.ReadUInt32BigEndian(source) << 16 | BinaryPrimitives.ReadUInt16BigEndian(source[4..]));

    /// <summary>Writes the six octets to <paramref name="destination"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Room for fewer than six octets.</exception>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)(_value >> 16));
        BinaryPrimitives.WriteUInt16BigEndian(destination[4..], (ushort)_value);
    }

    /// <inheritdoc/>
    public static MacAddress Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out MacAddress result)
            ? result
            : throw new FormatException($"'{s}' is not a MAC address; write six hexadecimal octets such as 52:54:00:12:34:56.");

    /// <inheritdoc/>
    public static MacAddress Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    /// <inheritdoc/>
    /// <remarks>Six octets of two hexadecimal digits, all separated by colons or all by hyphens.</remarks>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out MacAddress result)
    {
        result = default;
        if (s.Length != 17)
        {
            return false;
        }

        ulong value = 0;
        for (int octet = 0; octet < Length; octet++)
        {
            ReadOnlySpan<char> digits = s.Slice(octet * 3, 2);
            if (!char.IsAsciiHexDigit(digits[1])
                || !byte.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte parsed)
                || (octet < Length - 1 && (s[octet * 3 + 2] is not (':' or '-') || s[octet * 3 + 2] != s[2])))
            {
                return false;
            }

            value = value << 8 | parsed;
        }

        result = new MacAddress(value);
        return true;
    }

    /// <inheritdoc/>
    public static bool TryParse(string? s, IFormatProvider? provider, out MacAddress result) => TryParse(s.AsSpan(), provider, out result);

    /// <summary>Lower-case octets separated by colons.</summary>
    public override string ToString() =>
        $"{_value >> 40 & 0xFF:x2}:{_value >> 32 & 0xFF:x2}:{_value >> 24 & 0xFF:x2}:{_value >> 16 & 0xFF:x2}:{_value >> 8 & 0xFF:x2}:{_value & 0xFF:x2}";
}
