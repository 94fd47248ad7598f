using System.Buffers.Binary;

namespace Arrakis.Fuzz;

/// <summary>Takes an input apart into numbers; past its end all are zero.</summary>
internal ref struct InputReader(ReadOnlySpan<byte> input)
{
    private ReadOnlySpan<byte> _rest = input;

    /// <summary>Whether nothing is left.</summary>
    public readonly bool IsEmpty => _rest.IsEmpty;

    /// <summary>All that is left.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>The next byte.</summary>
    public byte Byte() => (byte)Number(1);

    /// <summary>The next two bytes.</summary>
    public ushort Short() => (ushort)Number(2);

    /// <summary>The next four bytes.</summary>
    public uint Word() => (uint)Number(4);

    /// <summary>The next eight bytes.</summary>
    public ulong Long() => Number(8);

    /// <summary>The next bytes, at most so many.</summary>
    public ReadOnlySpan<byte> Bytes(int length)
    {
        ReadOnlySpan<byte> taken = _rest[..Math.Min(length, _rest.Length)];
        _rest = _rest[taken.Length..];
        return taken;
    }

    private ulong Number(int length)
    {
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        Bytes(length).CopyTo(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }
}
