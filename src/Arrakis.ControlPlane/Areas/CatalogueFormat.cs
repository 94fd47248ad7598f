using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics;
using System.Text;
using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas;

/// <summary>
/// The catalogue's bytes. A copy is a header and a body, both little endian:
/// <code>
///  0 magic u64        8 version u32     12 copy u32      16 sequence u64
/// 24 body length u32 28 checksum u32    32 identity, 16 bytes
/// 48 body: block size u32, unit u32, block count u64, next number u64, areas u32, unzeroed extents u32;
///    each area: number u64, owner u32, flags u8, name length u8, extents u16, name, extents; the unzeroed extents.
///    An extent: start u64, count u64.
/// </code>
/// The checksum is CRC-32C of header (with a zero in its place) and body. Copy and identity are in it: bytes that belong elsewhere are seen.
/// </summary>
internal static class CatalogueFormat
{
    internal const int Copies = 2;

    /// <summary>Room for each copy in the file.</summary>
    internal const int CopyLength = 4 << 20;

    internal const int HeaderLength = 48;
    internal const int MaxBodyLength = CopyLength - HeaderLength;

    private const ulong Magic = 0x53414552_414B5241; // "ARKAREAS" as bytes
    private const uint Version = 1;
    private const int ChecksumOffset = 28;
    private const int FixedBodyLength = 32;
    private const int FixedAreaLength = 16;
    private const int ExtentLength = 16;
    private const byte SharedReadFlag = 1;
    private const int SectorLength = 4096;

    /// <summary>A copy of a state, filled up to whole sectors.</summary>
    internal static byte[] Encode(CatalogueState state, ulong sequence, int copy)
    {
        int bodyLength = FixedBodyLength
            + state.Areas.Values.Sum(static area => FixedAreaLength + area.Name.Length + area.Extents.Length * ExtentLength)
            + state.Unzeroed.Length * ExtentLength;
        byte[] bytes = new byte[(HeaderLength + bodyLength + SectorLength - 1) / SectorLength * SectorLength];
        var writer = new Writer(bytes);
        writer.Long(Magic);
        writer.Word(Version);
        writer.Word((uint)copy);
        writer.Long(sequence);
        writer.Word((uint)bodyLength);
        writer.Word(0);
        state.Id.TryWriteBytes(writer.Take(16));

        writer.Word((uint)state.Geometry.BlockSize);
        writer.Word((uint)state.Geometry.UnitBlocks);
        writer.Long((ulong)state.Geometry.BlockCount);
        writer.Long(state.NextAreaId);
        writer.Word((uint)state.Areas.Count);
        writer.Word((uint)state.Unzeroed.Length);
        foreach (Area area in state.Areas.Values)
        {
            writer.Long(area.Id);
            writer.Word(area.Owner);
            writer.Byte(area.SharedRead ? SharedReadFlag : (byte)0);
            writer.Byte((byte)area.Name.Length);
            writer.Short((ushort)area.Extents.Length);
            Encoding.ASCII.GetBytes(area.Name, writer.Take(area.Name.Length));
            writer.Extents(area.Extents);
        }

        writer.Extents(state.Unzeroed);
        Seal(bytes.AsSpan(0, HeaderLength + bodyLength));
        return bytes;
    }

    /// <summary>Writes the checksum of a copy into it.</summary>
    internal static void Seal(Span<byte> copy) => BinaryPrimitives.WriteUInt32LittleEndian(copy[ChecksumOffset..], Checksum(copy));

    /// <summary>The whole length that a copy's header speaks of; 0 where it is none.</summary>
    internal static int Length(ReadOnlySpan<byte> header)
    {
        uint body = header.Length < HeaderLength || BinaryPrimitives.ReadUInt64LittleEndian(header) != Magic ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(header[24..]);
        return body is >= FixedBodyLength and <= MaxBodyLength ? HeaderLength + (int)body : 0;
    }

    /// <summary>Reads a copy. Exactly one of state and fault comes back.</summary>
    internal static CatalogueState? Decode(ReadOnlySpan<byte> bytes, int copy, out ulong sequence, out string? fault)
    {
        sequence = 0;
        int length = Length(bytes);
        if (length == 0 || length > bytes.Length)
        {
            fault = "there is no header of a catalogue";
            return null;
        }

        bytes = bytes[..length];
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        uint place = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        uint written = BinaryPrimitives.ReadUInt32LittleEndian(bytes[ChecksumOffset..]);
        uint actual = Checksum(bytes);
        fault = written != actual ? $"the checksum is {actual:x8} and was {written:x8} when it was written"
            : place != copy ? $"this is copy {place}, which belongs elsewhere"
            : version != Version ? $"its format has the version {version}, and this program knows {Version}"
            : null;
        if (fault is not null)
        {
            return null;
        }

        sequence = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
        if (sequence is 0 or > long.MaxValue)
        {
            fault = $"its sequence number {sequence} is out of bounds";
            return null;
        }

        CatalogueState? state = DecodeBody(new Guid(bytes.Slice(32, 16)), new Reader(bytes[HeaderLength..]), out fault);
        fault ??= state!.Fault();
        return fault is null ? state : null;
    }

    private static CatalogueState? DecodeBody(Guid id, Reader reader, out string? fault)
    {
        uint blockSize = reader.Word();
        uint unit = reader.Word();
        ulong blockCount = reader.Long();
        ulong nextAreaId = reader.Long();
        uint areaCount = reader.Word();
        uint unzeroedCount = reader.Word();
        if (blockSize > int.MaxValue || unit > int.MaxValue || blockCount > long.MaxValue || nextAreaId > long.MaxValue || areaCount > CatalogueState.MaxAreas || unzeroedCount > CatalogueState.MaxUnzeroedExtents)
        {
            fault = "a number in it is out of bounds";
            return null;
        }

        ImmutableSortedDictionary<string, Area>.Builder areas = CatalogueState.NoAreas.ToBuilder();
        int extentCount = 0;
        for (uint i = 0; i < areaCount; i++)
        {
            ulong number = reader.Long();
            uint owner = reader.Word();
            byte flags = reader.Byte();
            int nameLength = reader.Byte();
            int extents = reader.Short();
            extentCount += extents;
            if (!reader.Has(nameLength + extents * ExtentLength) || extents is 0 or > Area.MaxExtents || extentCount > CatalogueState.MaxAreaExtents || (flags & ~SharedReadFlag) != 0)
            {
                fault = $"area {i} of {areaCount} is out of bounds";
                return null;
            }

            string name = Encoding.Latin1.GetString(reader.Take(nameLength));
            if (!AreaName.IsValid(name) || !areas.TryAdd(name, new Area(number, name, owner, (flags & SharedReadFlag) != 0, reader.Extents(extents))))
            {
                fault = $"area {i} of {areaCount} has no name, or that of another";
                return null;
            }
        }

        if (!reader.Has((int)unzeroedCount * ExtentLength))
        {
            fault = "what is to be zeroed is out of bounds";
            return null;
        }

        var geometry = new CatalogueGeometry((int)blockSize, (long)blockCount, (int)unit);
        var state = new CatalogueState(id, geometry, nextAreaId, areas.ToImmutable(), reader.Extents((int)unzeroedCount));
        fault = reader.Has(1) ? "there is something behind its end" : null;
        return fault is null ? state : null;
    }

    // CRC-32C with a zero where the checksum itself is.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = Add(~0u, bytes[..ChecksumOffset]);
        sum = BitOperations.Crc32C(sum, 0u);
        return ~Add(sum, bytes[(ChecksumOffset + sizeof(uint))..]);

        static uint Add(uint sum, ReadOnlySpan<byte> part)
        {
            for (; part.Length >= sizeof(ulong); part = part[sizeof(ulong)..])
            {
                sum = BitOperations.Crc32C(sum, BinaryPrimitives.ReadUInt64LittleEndian(part));
            }

            foreach (byte value in part)
            {
                sum = BitOperations.Crc32C(sum, value);
            }

            return sum;
        }
    }

    private ref struct Writer(Span<byte> rest)
    {
        private Span<byte> _rest = rest;

        public Span<byte> Take(int length)
        {
            Span<byte> taken = _rest[..length];
            _rest = _rest[length..];
            return taken;
        }

        public void Byte(byte value) => Take(1)[0] = value;

        public void Short(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Take(2), value);

        public void Word(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(4), value);

        public void Long(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Take(8), value);

        public void Extents(ImmutableArray<BlockExtent> extents)
        {
            foreach (BlockExtent extent in extents)
            {
                Long((ulong)extent.Start);
                Long((ulong)extent.Count);
            }
        }
    }

    // Past the end all numbers are zero: what has a length is asked for with Has before it is taken.
    private ref struct Reader(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;

        public readonly bool Has(int length) => _rest.Length >= length;

        public ReadOnlySpan<byte> Take(int length)
        {
            ReadOnlySpan<byte> taken = _rest[..length];
            _rest = _rest[length..];
            return taken;
        }

        public byte Byte() => Has(1) ? Take(1)[0] : (byte)0;

        public ushort Short() => Has(2) ? BinaryPrimitives.ReadUInt16LittleEndian(Take(2)) : (ushort)0;

        public uint Word() => Has(4) ? BinaryPrimitives.ReadUInt32LittleEndian(Take(4)) : 0;

        public ulong Long() => Has(8) ? BinaryPrimitives.ReadUInt64LittleEndian(Take(8)) : 0;

        // A number that is none of a block becomes a negative one, which the state's own check refuses.
        public ImmutableArray<BlockExtent> Extents(int count)
        {
            var extents = new BlockExtent[count];
            for (int i = 0; i < count; i++)
            {
                ulong start = Long();
                ulong blocks = Long();
                extents[i] = new BlockExtent(start > long.MaxValue ? -1 : (long)start, blocks > long.MaxValue ? -1 : (long)blocks);
            }

            return ImmutableArray.Create(extents);
        }
    }
}
