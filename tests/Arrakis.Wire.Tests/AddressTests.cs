using System.Net;
using CsCheck;

namespace Arrakis.Wire.Tests;

public sealed class AddressTests
{
    [Fact]
    public void Every_mac_address_is_read_back_from_its_text_and_its_octets() =>
        Gen.ULong[0, 0xFFFF_FFFF_FFFF].Sample(
            value =>
            {
                var mac = new MacAddress(value);
                Span<byte> octets = stackalloc byte[6];
                mac.Write(octets);
                return MacAddress.Parse(mac.ToString()) == mac
                    && MacAddress.Parse(mac.ToString().Replace(':', '-').ToUpperInvariant()) == mac
                    && MacAddress.Read(octets) == mac
                    && octets[0] == (byte)(value >> 40);
            },
            seed: Seeds.Fixed);

    [Theory]
    [InlineData("")]
    [InlineData("52:54:00:12:34")]
    [InlineData("52:54:00:12:34:5")]
    [InlineData("52:54:00:12:34:567")]
    [InlineData("52:54:00:12:34:5g")]
    [InlineData("52:54:00:12:34:5\0")]
    [InlineData("52:54:00:12:34: 5")]
    [InlineData("52.54.00.12.34.56")]
    [InlineData("52:54-00:12-34:56")]
    [InlineData("+2:54:00:12:34:56")]
    [InlineData("525400123456")]
    public void Text_that_is_no_mac_address_is_refused(string text)
    {
        Assert.False(MacAddress.TryParse(text, null, out _));
        Assert.Contains("is not a MAC address", Assert.Throws<FormatException>(() => MacAddress.Parse(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mac_address_of_more_than_48_bits_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new MacAddress(1UL << 48));

    [Fact]
    public void Mac_addresses_know_their_kind()
    {
        Assert.True(MacAddress.Broadcast.IsMulticast);
        Assert.True(MacAddress.Parse("01:00:5e:00:00:01").IsMulticast);
        Assert.True(MacAddress.Parse("52:54:00:00:00:01").IsUnicast);
        Assert.False(default(MacAddress).IsUnicast);
        Assert.False(default(MacAddress).IsMulticast);
    }

    [Fact]
    public void Every_ipv4_address_is_read_back_from_its_text_its_octets_and_the_class_librarys_type() =>
        Gen.UInt.Sample(
            value =>
            {
                var address = new Ipv4Address(value);
                Span<byte> octets = stackalloc byte[4];
                address.Write(octets);
                return Ipv4Address.Parse(address.ToString()) == address
                    && Ipv4Address.Read(octets) == address
                    && Ipv4Address.From(address.ToIPAddress()) == address
                    && Ipv4Address.From(address.ToIPAddress().MapToIPv6()) == address
                    && address.ToString() == address.ToIPAddress().ToString();
            },
            seed: Seeds.Fixed);

    [Theory]
    [InlineData("")]
    [InlineData("10.7.0")]
    [InlineData("10.7.0.2.3")]
    [InlineData("10.7.0.256")]
    [InlineData("10.7.0.02")]
    [InlineData("10.7.0.0002")]
    [InlineData("10.7.0.2 ")]
    [InlineData(" 10.7.0.2")]
    [InlineData("10.7..2")]
    [InlineData("0x0a.7.0.2")]
    [InlineData("10.7.0.2\0")]
    [InlineData("10.7.0.-1")]
    [InlineData("168230914")]
    public void Text_that_is_no_strict_ipv4_address_is_refused(string text)
    {
        Assert.False(Ipv4Address.TryParse(text, null, out _));
        Assert.Throws<FormatException>(() => Ipv4Address.Parse(text));
    }

    [Fact]
    public void An_ipv6_address_is_refused_by_name() =>
        Assert.Contains("is not an IPv4 address", Assert.Throws<ArgumentException>(() => Ipv4Address.From(IPAddress.IPv6Loopback)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("10.0.0.1", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("0.1.2.3", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("223.255.255.255", true)]
    [InlineData("224.0.0.1", false)]
    [InlineData("240.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    public void Only_addresses_of_one_host_are_unicast(string text, bool unicast) =>
        Assert.Equal(unicast, Ipv4Address.Parse(text).IsUnicast);

    [Fact]
    public void Every_prefix_is_read_back_and_contains_exactly_what_its_first_bits_name() =>
        Gen.Select(Gen.UInt, Gen.Int[0, 32], Gen.UInt).Sample(
            (value, length, other) =>
            {
                var prefix = new Ipv4Prefix(new Ipv4Address(value), length);
                bool sameBits = true;
                for (int bit = 0; bit < length; bit++)
                {
                    sameBits &= (value >> (31 - bit) & 1) == (other >> (31 - bit) & 1);
                }

                return Ipv4Prefix.Parse(prefix.ToString()) == prefix
                    && prefix.Contains(new Ipv4Address(other)) == sameBits
                    && prefix.Contains(prefix.Network)
                    && prefix.Contains(prefix.DirectedBroadcast)
                    && prefix.DirectedBroadcast.Value - prefix.Network.Value == (length == 0 ? uint.MaxValue : (1UL << (32 - length)) - 1);
            },
            seed: Seeds.Fixed);

    [Theory]
    [InlineData("")]
    [InlineData("10.7.0.2")]
    [InlineData("10.7.0.2/")]
    [InlineData("10.7.0.2/33")]
    [InlineData("10.7.0.2/024")]
    [InlineData("10.7.0.2/+24")]
    [InlineData("10.7.0.2/24\0")]
    [InlineData("10.7.0.2/24/8")]
    [InlineData("10.7.0.2/ 24")]
    [InlineData("10.7.0.2/256")]
    [InlineData("/24")]
    public void Text_that_is_no_prefix_is_refused(string text)
    {
        Assert.False(Ipv4Prefix.TryParse(text, null, out _));
        Assert.Throws<FormatException>(() => Ipv4Prefix.Parse(text));
    }

    [Fact]
    public void Random_text_never_throws_from_a_try() =>
        Gen.String.Sample(
            text =>
            {
                _ = MacAddress.TryParse(text, null, out _);
                _ = Ipv4Address.TryParse(text, null, out _);
                _ = Ipv4Prefix.TryParse(text, null, out _);
            },
            seed: Seeds.Fixed,
            iter: 10_000);
}
