using System.Buffers.Binary;

namespace Arrakis.DataPlane.Storage;

/// <summary>
/// The log's header, of which there are two copies. It is written when the log is opened, trimmed and closed: both copies, and what asked for
/// it goes on when both are durable. So each copy alone is good enough to go on with.
/// </summary>
internal sealed record LogHeader
{
    /// <summary>Bytes of a header that its checksum covers.</summary>
    public const int Length = 96;

    private const uint Magic = 0x31484C41; // "ALH1".
    private const uint ClosedFlag = 1;

    /// <summary>The log: a random number from its making.</summary>
    public required ulong LogId { get; init; }

    /// <summary>One more with each header written.</summary>
    public required long Generation { get; init; }

    /// <summary>One more with each opening.</summary>
    public required uint Epoch { get; init; }

    /// <summary>Data blocks of the area.</summary>
    public required long BlockCount { get; init; }

    /// <summary>Bytes of a block.</summary>
    public required int BlockSize { get; init; }

    /// <summary>All before it is trimmed.</summary>
    public required LogPosition Head { get; init; }

    /// <summary>The first block that this epoch writes.</summary>
    public required long EpochStart { get; init; }

    /// <summary>All blocks before it were durable when the header was written.</summary>
    public required long End { get; init; }

    /// <summary>The checksum of the block before <see cref="End"/>.</summary>
    public required uint EndLink { get; init; }

    /// <summary>The most blocks that this epoch has under way at once.</summary>
    public required int Window { get; init; }

    /// <summary>Whether the log was closed with this header: nothing was written after it.</summary>
    public required bool IsClosed { get; init; }

    /// <summary>The first block that is not trimmed.</summary>
    public long HeadBlock => Head.Value / BlockSize;

    /// <summary>Writes it to the front of a block.</summary>
    public void Write(Span<byte> block)
    {
        block.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(block[8..], LogId);
        BinaryPrimitives.WriteInt64LittleEndian(block[16..], Generation);
        BinaryPrimitives.WriteInt64LittleEndian(block[24..], BlockCount);
        BinaryPrimitives.WriteInt64LittleEndian(block[32..], Head.Value);
        BinaryPrimitives.WriteInt64LittleEndian(block[40..], EpochStart);
        BinaryPrimitives.WriteInt64LittleEndian(block[48..], End);
        BinaryPrimitives.WriteUInt32LittleEndian(block[56..], EndLink);
        BinaryPrimitives.WriteUInt32LittleEndian(block[60..], Epoch);
        BinaryPrimitives.WriteInt32LittleEndian(block[64..], BlockSize);
        BinaryPrimitives.WriteInt32LittleEndian(block[68..], Window);
        BinaryPrimitives.WriteUInt32LittleEndian(block[72..], IsClosed ? ClosedFlag : 0);
        BinaryPrimitives.WriteUInt32LittleEndian(block, Crc32C.Of(block[4..Length]));
    }

    /// <summary>Whether a block has a header of a log of another size.</summary>
    public static bool IsOfOther(ReadOnlySpan<byte> block, int blockSize, long blockCount) =>
        BinaryPrimitives.ReadUInt32LittleEndian(block[4..]) == Magic
        && BinaryPrimitives.ReadUInt32LittleEndian(block) == Crc32C.Of(block[4..Length])
        && (BinaryPrimitives.ReadInt64LittleEndian(block[24..]) != blockCount || BinaryPrimitives.ReadInt32LittleEndian(block[64..]) != blockSize);

    /// <summary>Reads one. Null where it is none, damaged, or not of an area like this.</summary>
    public static LogHeader? Read(ReadOnlySpan<byte> block, int blockSize, long blockCount)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(block[4..]) != Magic
            || BinaryPrimitives.ReadUInt32LittleEndian(block) != Crc32C.Of(block[4..Length]))
        {
            return null;
        }

        var header = new LogHeader
        {
            LogId = BinaryPrimitives.ReadUInt64LittleEndian(block[8..]),
            Generation = BinaryPrimitives.ReadInt64LittleEndian(block[16..]),
            BlockCount = BinaryPrimitives.ReadInt64LittleEndian(block[24..]),
            Head = new LogPosition(BinaryPrimitives.ReadInt64LittleEndian(block[32..])),
            EpochStart = BinaryPrimitives.ReadInt64LittleEndian(block[40..]),
            End = BinaryPrimitives.ReadInt64LittleEndian(block[48..]),
            EndLink = BinaryPrimitives.ReadUInt32LittleEndian(block[56..]),
            Epoch = BinaryPrimitives.ReadUInt32LittleEndian(block[60..]),
            BlockSize = BinaryPrimitives.ReadInt32LittleEndian(block[64..]),
            Window = BinaryPrimitives.ReadInt32LittleEndian(block[68..]),
            IsClosed = (BinaryPrimitives.ReadUInt32LittleEndian(block[72..]) & ClosedFlag) != 0,
        };
        return header.BlockSize == blockSize
            && header.BlockCount == blockCount
            && header.Generation is > 0 and < long.MaxValue
            && header.Epoch < uint.MaxValue
            && header.Window > 0
            && header.Head.Value >= 0
            && header.End is >= 0 and < LogFormat.MaxSequence
            && header.EpochStart >= 0
            && header.EpochStart <= header.End
            && header.HeadBlock <= header.End
            && header.End - header.HeadBlock <= blockCount
            ? header
            : null;
    }
}
