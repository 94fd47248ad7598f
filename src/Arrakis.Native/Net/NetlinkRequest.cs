using System.Buffers.Binary;
using System.Text;

namespace Arrakis.Native.Net;

/// <summary>Builds a netlink message (struct nlmsghdr, then a fixed part, then attributes aligned to 4 bytes; netlink(7)).</summary>
public sealed class NetlinkRequest
{
    internal const int HeaderLength = 16; // struct nlmsghdr: length u32, type u16, flags u16, sequence u32, port u32
    internal const int AttributeHeaderLength = 4; // struct nlattr: length u16, type u16
    private const ushort FlagRequest = 0x01; // NLM_F_REQUEST
    private byte[] _buffer = new byte[256];
    private int _length = HeaderLength;

    /// <summary>Begins a message.</summary>
    /// <param name="type">The operation, such as RTM_GETLINK.</param>
    /// <param name="flags">Flags beside NLM_F_REQUEST.</param>
    public NetlinkRequest(ushort type, ushort flags)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(4), type);
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(6), (ushort)(flags | FlagRequest));
    }

    /// <summary>Appends the operation's fixed part, or a part of it. Its length is a multiple of 4.</summary>
    public NetlinkRequest Append(params ReadOnlySpan<uint> words)
    {
        foreach (uint word in words)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(Grow(sizeof(uint)), word);
        }

        return this;
    }

    /// <summary>Appends an attribute of octets.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Longer than an attribute can be.</exception>
    public NetlinkRequest Add(ushort type, ReadOnlySpan<byte> value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value.Length, ushort.MaxValue - AttributeHeaderLength);
        Span<byte> attribute = Grow(NetlinkAttributes.Align(AttributeHeaderLength + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(attribute, (ushort)(AttributeHeaderLength + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(attribute[2..], type);
        value.CopyTo(attribute[AttributeHeaderLength..]);
        return this;
    }

    /// <summary>Appends an attribute of 32-bit numbers.</summary>
    public NetlinkRequest AddWords(ushort type, params ReadOnlySpan<uint> words)
    {
        Span<byte> value = stackalloc byte[words.Length * sizeof(uint)];
        for (int i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(value[(i * sizeof(uint))..], words[i]);
        }

        return Add(type, value);
    }

    /// <summary>Appends an attribute that is a name, with its terminating zero.</summary>
    public NetlinkRequest AddName(ushort type, string name) => Add(type, Encoding.UTF8.GetBytes(name + "\0"));

    /// <summary>Appends an attribute of which the inner ones are the value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Longer than an attribute can be.</exception>
    public NetlinkRequest AddNested(ushort type, Action<NetlinkRequest> inner)
    {
        ArgumentNullException.ThrowIfNull(inner);
        int start = _length;
        _ = Add(type, []);
        inner(this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_length - start, ushort.MaxValue, nameof(inner));
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(start), (ushort)(_length - start));
        return this;
    }

    /// <summary>The message as the kernel takes it.</summary>
    /// <param name="sequence">What its answer will name.</param>
    /// <param name="flags">More flags.</param>
    public ReadOnlySpan<byte> Complete(uint sequence, ushort flags = 0)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer, (uint)_length);
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(6), (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(_buffer.AsSpan(6)) | flags));
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(8), sequence);
        return _buffer.AsSpan(0, _length);
    }

    private Span<byte> Grow(int length)
    {
        if (_length + length > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + length));
        }

        Span<byte> grown = _buffer.AsSpan(_length, length);
        _length += length;
        return grown;
    }
}
