namespace Arrakis.DataPlane.Storage;

/// <summary>
/// Sizes and places of a log on an area (docs/storage.md has the tables). The first and the last block are the two copies of the header;
/// block n of the log, counted from its making on, is at address 1 + n mod the number of blocks between them.
/// </summary>
internal static class LogFormat
{
    /// <summary>Bytes of a block's own header.</summary>
    public const int BlockHeaderLength = 48;

    /// <summary>Bytes before each record: its length.</summary>
    public const int RecordHeaderLength = 4;

    /// <summary>Set in the length of a mark: a record of a structure that stands on the log.</summary>
    public const int MarkFlag = int.MinValue;

    /// <summary>The fewest data blocks.</summary>
    public const int MinBlocks = 8;

    /// <summary>The most blocks that a log writes in its life: positions stay below 2^62 with blocks of 64 KiB.</summary>
    public const long MaxSequence = 1L << 46;

    /// <summary>Bytes of records in a block.</summary>
    public static int Payload(int blockSize) => blockSize - BlockHeaderLength;

    /// <summary>The most blocks that a record touches, wherever in a block it begins.</summary>
    public static long BlocksOf(int length, int blockSize) => (length + RecordHeaderLength + Payload(blockSize) - 1L) / Payload(blockSize) + 1;

    /// <summary>The longest record that fits into an empty log.</summary>
    public static int MaxRecordLength(long blockCount, int blockSize) =>
        (int)Math.Min(int.MaxValue / 2, (blockCount - 2) * Payload(blockSize) - RecordHeaderLength);
}
