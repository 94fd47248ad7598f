using System.Buffers.Binary;

namespace Arrakis.DataPlane.Storage;

/// <summary>The header of a data block: it says which log, which block of it, and what was durable when it was written.</summary>
/// <param name="LogId">The log.</param>
/// <param name="Sequence">Which block of the log.</param>
/// <param name="Durable">All blocks before this one were durable when this was written.</param>
/// <param name="Epoch">The opening of the log that wrote it.</param>
/// <param name="Previous">The checksum of the block before.</param>
/// <param name="Used">Bytes in use, this header among them.</param>
/// <param name="FirstRecord">Where the first record that begins in the block begins; 0 where none does.</param>
/// <param name="Checksum">The block's own checksum, over all bytes in use but itself.</param>
internal readonly record struct LogBlock(ulong LogId, long Sequence, long Durable, uint Epoch, uint Previous, int Used, int FirstRecord, uint Checksum)
{
    private const uint Magic = 0x31424C41; // "ALB1".

    /// <summary>Writes the header of a block whose bytes are there. Returns the checksum.</summary>
    public uint Seal(Span<byte> block)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(block[8..], LogId);
        BinaryPrimitives.WriteInt64LittleEndian(block[16..], Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(block[24..], Durable);
        BinaryPrimitives.WriteUInt32LittleEndian(block[32..], Epoch);
        BinaryPrimitives.WriteUInt32LittleEndian(block[36..], Previous);
        BinaryPrimitives.WriteInt32LittleEndian(block[40..], Used);
        BinaryPrimitives.WriteInt32LittleEndian(block[44..], FirstRecord);
        uint checksum = Crc32C.Of(block[4..Used]);
        BinaryPrimitives.WriteUInt32LittleEndian(block, checksum);
        return checksum;
    }

    /// <summary>Reads a block. False where it is none, or damaged; where it is one, its numbers are within the block and not negative.</summary>
    public static bool TryRead(ReadOnlySpan<byte> block, out LogBlock header)
    {
        header = new LogBlock(
            BinaryPrimitives.ReadUInt64LittleEndian(block[8..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[24..]),
            BinaryPrimitives.ReadUInt32LittleEndian(block[32..]),
            BinaryPrimitives.ReadUInt32LittleEndian(block[36..]),
            BinaryPrimitives.ReadInt32LittleEndian(block[40..]),
            BinaryPrimitives.ReadInt32LittleEndian(block[44..]),
            BinaryPrimitives.ReadUInt32LittleEndian(block));
        return BinaryPrimitives.ReadUInt32LittleEndian(block[4..]) == Magic
            && header.Used > LogFormat.BlockHeaderLength
            && header.Used <= block.Length
            && header.Checksum == Crc32C.Of(block[4..header.Used])
            && header.Sequence is >= 0 and < LogFormat.MaxSequence
            && header.Durable >= 0
            && header.Durable <= header.Sequence
            && (header.FirstRecord == 0
                || (header.FirstRecord >= LogFormat.BlockHeaderLength && header.FirstRecord <= header.Used - LogFormat.RecordHeaderLength));
    }
}
