namespace Arrakis.DataPlane.Storage;

/// <summary>Checks that blocks are those of a log, in their order, each the one that the next was written after.</summary>
/// <param name="logId">The log.</param>
/// <param name="epoch">The opening that wrote last.</param>
/// <param name="epochStart">The first block that it wrote.</param>
internal sealed class LogChain(ulong logId, uint epoch, long epochStart)
{
    private uint _lastEpoch;
    private long _lastSequence = -1;

    /// <summary>The checksum of the block before.</summary>
    public uint Link { get; private set; }

    /// <summary>Says what the block before the next is.</summary>
    public void StartAfter(long sequence, uint link)
    {
        _lastSequence = sequence;
        _lastEpoch = 0;
        Link = link;
    }

    /// <summary>Checks the next block.</summary>
    /// <returns>Null where it is right, else what is wrong.</returns>
    public string? Check(ReadOnlySpan<byte> block, long sequence, out LogBlock header)
    {
        if (!LogBlock.TryRead(block, out header))
        {
            return block.ContainsAnyExcept((byte)0) ? "its checksum does not match" : "it is blank";
        }

        if (header.LogId != logId)
        {
            return "it is of another log";
        }

        if (header.Sequence != sequence)
        {
            return $"it has block {header.Sequence} of the log instead of block {sequence}";
        }

        if (header.Epoch > epoch || header.Epoch < _lastEpoch || (sequence >= epochStart && header.Epoch != epoch))
        {
            return $"it was written by opening {header.Epoch} of the log, at a place of another";
        }

        if (_lastSequence >= 0 && _lastSequence == sequence - 1 && header.Previous != Link)
        {
            return "it was not written after the block that is before it";
        }

        _lastEpoch = header.Epoch;
        _lastSequence = sequence;
        Link = header.Checksum;
        return null;
    }
}
