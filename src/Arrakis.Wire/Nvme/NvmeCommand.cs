using System.Buffers.Binary;

namespace Arrakis.Wire.Nvme;

/// <summary>A submission queue entry: 64 bytes, little-endian (NVMe 2.0 §3.3.3.1). Metadata and what is reserved is zero.</summary>
/// <param name="Opcode">What to do.</param>
/// <param name="Id">CID: names the command until it is completed.</param>
/// <param name="Namespace">NSID; 0 where the command has none.</param>
/// <param name="Data1">PRP entry 1, or the first half of an SGL descriptor.</param>
/// <param name="Data2">PRP entry 2, or the second half of an SGL descriptor.</param>
/// <param name="Dword10">The command's own, as are the next.</param>
/// <param name="Dword11">See <paramref name="Dword10"/>.</param>
/// <param name="Dword12">See <paramref name="Dword10"/>.</param>
public readonly record struct NvmeCommand(
    byte Opcode, ushort Id, uint Namespace, ulong Data1 = 0, ulong Data2 = 0, uint Dword10 = 0, uint Dword11 = 0, uint Dword12 = 0)
{
    /// <summary>Bytes of an entry.</summary>
    public const int Size = 64;

    /// <summary>Offset of PRP entry 1.</summary>
    public const int DataOffset = 24;

    /// <summary>Offset of dword 10.</summary>
    public const int Dword10Offset = 40;

    /// <summary>Offset of dword 12.</summary>
    public const int Dword12Offset = 48;

    /// <summary>PSDT: data is described by an SGL descriptor.</summary>
    public bool UsesSgl { get; init; }

    /// <summary>Reads an entry.</summary>
    public static NvmeCommand Read(ReadOnlySpan<byte> source)
    {
        uint first = BinaryPrimitives.ReadUInt32LittleEndian(source);
        return new NvmeCommand(
            (byte)first,
            (ushort)(first >> 16),
            BinaryPrimitives.ReadUInt32LittleEndian(source[4..]),
            BinaryPrimitives.ReadUInt64LittleEndian(source[DataOffset..]),
            BinaryPrimitives.ReadUInt64LittleEndian(source[(DataOffset + 8)..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[Dword10Offset..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[(Dword10Offset + 4)..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[Dword12Offset..]))
        {
            UsesSgl = (first >> 14 & 3) != 0,
        };
    }

    /// <summary>Writes an entry, all 64 bytes of it.</summary>
    public void Write(Span<byte> destination)
    {
        destination[..Size].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Opcode | (UsesSgl ? NvmeOpcode.UsesSgl : 0) | (uint)Id << 16);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Namespace);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[DataOffset..], Data1);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[(DataOffset + 8)..], Data2);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[Dword10Offset..], Dword10);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[(Dword10Offset + 4)..], Dword11);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[Dword12Offset..], Dword12);
    }
}
