using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Arrakis.Native.Pci;

/// <summary>Where a PCI function is, written as the kernel writes it: 0000:01:10.0.</summary>
/// <remarks>Without a domain, as lspci shows addresses, it is read as of domain 0.</remarks>
public readonly record struct PciAddress : ISpanParsable<PciAddress>, IComparable<PciAddress>
{
    private const int MaxDevice = 31;
    private const int MaxFunction = 7;
    private const int ShortLength = 7; // 01:10.0
    private const int MinDomainDigits = 4;
    private const int MaxDomainDigits = 8; // Of bridges that make domains of their own (VMD), past 16 bits.

    /// <summary>Makes an address.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such device (0 to 31) or function (0 to 7) on a bus.</exception>
    public PciAddress(uint domain, byte bus, byte device, byte function)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(device, MaxDevice);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(function, MaxFunction);
        Domain = domain;
        Bus = bus;
        Device = device;
        Function = function;
    }

    /// <summary>The domain, also called segment.</summary>
    public uint Domain { get; }

    /// <summary>The bus.</summary>
    public byte Bus { get; }

    /// <summary>The device on the bus, 0 to 31.</summary>
    public byte Device { get; }

    /// <summary>The function of the device, 0 to 7.</summary>
    public byte Function { get; }

    private ulong Order => (ulong)Domain << 16 | (uint)Bus << 8 | (uint)Device << 3 | Function;

    /// <summary>Whether the one comes before the other.</summary>
    public static bool operator <(PciAddress left, PciAddress right) => left.Order < right.Order;

    /// <summary>Whether the one comes behind the other.</summary>
    public static bool operator >(PciAddress left, PciAddress right) => left.Order > right.Order;

    /// <summary>Whether the one comes before the other, or is it.</summary>
    public static bool operator <=(PciAddress left, PciAddress right) => left.Order <= right.Order;

    /// <summary>Whether the one comes behind the other, or is it.</summary>
    public static bool operator >=(PciAddress left, PciAddress right) => left.Order >= right.Order;

    /// <summary>Reads an address.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static PciAddress Parse(string s) => Parse(s.AsSpan(), null);

    /// <inheritdoc/>
    public static PciAddress Parse(string s, IFormatProvider? provider) => Parse(s.AsSpan(), provider);

    /// <inheritdoc/>
    public static PciAddress Parse(ReadOnlySpan<char> s, IFormatProvider? provider) =>
        TryParse(s, provider, out PciAddress address)
            ? address
            : throw new FormatException($"'{s}' is no PCI address; one looks like 0000:01:10.0.");

    /// <summary>Reads an address; false where it is none.</summary>
    public static bool TryParse([NotNullWhen(true)] string? s, out PciAddress result) => TryParse(s.AsSpan(), null, out result);

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out PciAddress result) => TryParse(s.AsSpan(), provider, out result);

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out PciAddress result)
    {
        result = default;
        uint domain = 0;
        if (s.Length != ShortLength)
        {
            int digits = s.Length - ShortLength - 1;
            if (digits is < MinDomainDigits or > MaxDomainDigits || s[digits] != ':' || !TryHex(s[..digits], out domain))
            {
                return false;
            }

            s = s[(digits + 1)..];
        }

        if (s[2] != ':' || s[5] != '.' || !TryHex(s[..2], out uint bus) || !TryHex(s[3..5], out uint device) || !TryHex(s[6..], out uint function)
            || device > MaxDevice || function > MaxFunction)
        {
            return false;
        }

        result = new PciAddress(domain, (byte)bus, (byte)device, (byte)function);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(PciAddress other) => Order.CompareTo(other.Order);

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Domain:x4}:{Bus:x2}:{Device:x2}.{Function}");

    private static bool TryHex(ReadOnlySpan<char> text, out uint value) => uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
}
