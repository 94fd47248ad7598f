using System.Buffers.Binary;
using System.Text;

namespace Arrakis.Native.Net;

/// <summary>Goes through netlink attributes. No length that they name is believed before it is checked.</summary>
/// <param name="octets">Attributes one behind the other, each aligned to 4 bytes.</param>
public ref struct NetlinkAttributes(ReadOnlySpan<byte> octets)
{
    private const ushort TypeMask = 0x3FFF; // Without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
    private ReadOnlySpan<byte> _rest = octets;
    private ReadOnlySpan<byte> _value;

    /// <summary>The attribute's type.</summary>
    public ushort Type { get; private set; }

    /// <summary>The attribute's value.</summary>
    public readonly ReadOnlySpan<byte> Value => _value;

    /// <summary>The attributes inside of this one.</summary>
    public readonly NetlinkAttributes Nested => new(_value);

    /// <summary>Goes to the next attribute; false behind the last.</summary>
    /// <exception cref="NetlinkException">It is cut off, or its length makes no sense.</exception>
    public bool MoveNext()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        if (_rest.Length < NetlinkRequest.AttributeHeaderLength)
        {
            throw new NetlinkException($"A netlink attribute is cut off behind {_rest.Length} octets.");
        }

        int length = BinaryPrimitives.ReadUInt16LittleEndian(_rest);
        if (length < NetlinkRequest.AttributeHeaderLength || length > _rest.Length)
        {
            throw new NetlinkException($"A netlink attribute says that it has {length} octets where {_rest.Length} are left.");
        }

        Type = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(_rest[2..]) & TypeMask);
        _value = _rest[NetlinkRequest.AttributeHeaderLength..length];
        _rest = _rest[Math.Min(Align(length), _rest.Length)..]; // The last one may end without its padding.
        return true;
    }

    /// <summary>A 32-bit number of the value.</summary>
    /// <param name="index">Which of them.</param>
    /// <exception cref="NetlinkException">The value is too short.</exception>
    public readonly uint Word(int index = 0) =>
        _value.Length >= (index + 1) * sizeof(uint)
            ? BinaryPrimitives.ReadUInt32LittleEndian(_value[(index * sizeof(uint))..])
            : throw new NetlinkException($"A netlink attribute of type {Type} has {_value.Length} octets, too few for the number at {index * sizeof(uint)}.");

    /// <summary>The value as a text, up to its terminating zero.</summary>
    public readonly string Name()
    {
        int end = _value.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? _value : _value[..end]);
    }

    internal static int Align(int length) => (length + 3) & ~3; // NLMSG_ALIGN
}
