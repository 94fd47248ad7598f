using System.Globalization;

namespace Arrakis.Wire;

/// <summary>An address with the length of its network prefix, such as 10.7.0.2/24 (RFC 4632).</summary>
public readonly record struct Ipv4Prefix : ISpanParsable<Ipv4Prefix>
{
    /// <summary>Makes a prefix.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The length is over 32.</exception>
    public Ipv4Prefix(Ipv4Address address, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, 32);
        Address = address;
        PrefixLength = length;
    }

    /// <summary>The address as written, host bits included.</summary>
    public Ipv4Address Address { get; }

    /// <summary>Leading bits that name the network, 0 to 32.</summary>
    public int PrefixLength { get; }

    /// <summary>The network's mask.</summary>
    public uint Mask => PrefixLength == 0 ? 0 : uint.MaxValue << (32 - PrefixLength);

    /// <summary>The network's first address.</summary>
    public Ipv4Address Network => new(Address.Value & Mask);

    /// <summary>The directed broadcast address (RFC 919); of a /31 or /32 it is the last address and no broadcast (RFC 3021).</summary>
    public Ipv4Address DirectedBroadcast => new(Address.Value | ~Mask);

    /// <summary>Whether <paramref name="address"/> is in the network.</summary>
    public bool Contains(Ipv4Address address) => ((address.Value ^ Address.Value) & Mask) == 0;

    /// <inheritdoc/>
    public static Ipv4Prefix Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out Ipv4Prefix result)
            ? result
            : throw new FormatException($"'{s}' is not an address with a prefix length; write for example 10.7.0.2/24.");

    /// <inheritdoc/>
    public static Ipv4Prefix Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    /// <inheritdoc/>
    /// <remarks>Strict, as the address: the length has no leading zero and no sign.</remarks>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out Ipv4Prefix result)
    {
        result = default;
        int slash = s.IndexOf('/');
        if (slash < 0 || !Ipv4Address.TryParse(s[..slash], provider, out Ipv4Address address))
        {
            return false;
        }

        ReadOnlySpan<char> digits = s[(slash + 1)..];
        if (!byte.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out byte length)
            || length > 32
            || (digits.Length > 1 && digits[0] == '0')
            || !char.IsAsciiDigit(digits[^1]))
        {
            return false;
        }

        result = new Ipv4Prefix(address, length);
        return true;
    }

    /// <inheritdoc/>
    public static bool TryParse(string? s, IFormatProvider? provider, out Ipv4Prefix result) => TryParse(s.AsSpan(), provider, out result);

    /// <summary>Address, slash, length.</summary>
    public override string ToString() => $"{Address}/{PrefixLength}";
}
