namespace Arrakis.DataPlane.Storage;

/// <summary>Reads a log that nobody has open, to find its end and to see that nothing before it is missing.</summary>
internal sealed class LogScan(IStorageArea area) : IDisposable
{
    private readonly LogBlockReader _blocks = new(area);

    /// <summary>What was found.</summary>
    /// <param name="End">The number of the first block that is not of the log.</param>
    /// <param name="Link">The checksum of the last that is.</param>
    /// <param name="Records">Records between head and end.</param>
    /// <param name="BadHeader">The address of the copy of the header that was not as it should be.</param>
    public readonly record struct Result(long End, uint Link, long Records, long? BadHeader);

    /// <summary>The header to go on with.</summary>
    /// <param name="Header">The newer copy.</param>
    /// <param name="OlderCopy">The address of the other.</param>
    /// <param name="BadCopy">The same, where a cut does not explain what it is like.</param>
    public sealed record Found(LogHeader Header, long OlderCopy, long? BadCopy);

    /// <summary>Takes a buffer.</summary>
    /// <exception cref="InvalidOperationException">None is free.</exception>
    public static BlockBuffer Rent(IStorageArea area) =>
        area.Buffers.TryRent(out BlockBuffer buffer)
            ? buffer
            : throw new InvalidOperationException($"All {area.Buffers.Count} buffers of the area are in use: bind it with more.");

    /// <summary>Reads both copies of the header. Null where both are blank.</summary>
    /// <exception cref="DataCorruptException">There is no good one, or the two are of different logs.</exception>
    public async ValueTask<Found?> ReadHeaderAsync()
    {
        long last = area.BlockCount - 1;
        ReadOnlyMemory<byte> block = await _blocks.ReadAddressAsync(0);
        if (LogHeader.IsOfOther(block.Span, area.BlockSize, last - 1))
        {
            throw new DataCorruptException(0, "the log there is of an area of another size");
        }

        (LogHeader? first, bool isFirstBlank) = Parse(block.Span);
        (LogHeader? second, bool isSecondBlank) = Parse((await _blocks.ReadAddressAsync(last)).Span);
        if (first is null && second is null)
        {
            return isFirstBlank && isSecondBlank ? null : throw new DataCorruptException(isFirstBlank ? last : 0, "neither copy of a log's header is whole");
        }

        if (first is null || second is null)
        {
            // A cut of the very first writing left only one.
            LogHeader only = first ?? second!;
            long other = first is null ? 0 : last;
            return new Found(only, other, (isFirstBlank || isSecondBlank) && only.Generation == FirstGeneration ? null : other);
        }

        if (first.LogId != second.LogId || (first.Generation == second.Generation && first != second))
        {
            throw new DataCorruptException(last, "the two copies of the log's header contradict each other");
        }

        // One is newer by one where a cut came between them, and by more where a write was lost.
        (LogHeader newer, long older) = first.Generation >= second.Generation ? (first, last) : (second, 0L);
        return new Found(newer, older, Math.Abs(first.Generation - second.Generation) > 1 ? older : null);
    }

    /// <summary>Reads from the head to the end, and beyond it as far as writes may have been under way.</summary>
    /// <exception cref="DataCorruptException">A block before the end is not what was written there.</exception>
    public async ValueTask<Result> FindEndAsync(LogHeader header)
    {
        var chain = new LogChain(header.LogId, header.Epoch, header.EpochStart);
        var records = new RecordAssembler(header.BlockSize, MaxRecordLength(header));
        long count = 0;
        long next = header.HeadBlock;
        long limit = header.HeadBlock + header.BlockCount;
        if (header.HeadBlock == header.End)
        {
            chain.StartAfter(header.End - 1, header.EndLink);
        }

        for (; next < limit; next++)
        {
            ReadOnlyMemory<byte> block = await _blocks.ReadAsync(next, limit);
            string? fault = next >= header.End && IsOld(block.Span, next, header) ? Old : chain.Check(block.Span, next, out LogBlock found) ?? Count(records, block, found, header, ref count);
            if (ReferenceEquals(fault, Old))
            {
                break;
            }

            Refuse(fault, next);
            if (header.IsClosed && next >= header.End)
            {
                throw new DataCorruptException(_blocks.AddressOf(next), "it was written after the log was closed, but the header does not say so");
            }

            if (next + 1 == header.End && chain.Link != header.EndLink)
            {
                throw new DataCorruptException(_blocks.AddressOf(next), "it is not the block that was the last when the header was written");
            }
        }

        await LookBeyondAsync(header, next, limit);
        return new Result(next, next == header.End ? header.EndLink : chain.Link, count, null);
    }

    public void Dispose() => _blocks.Dispose();

    private const long FirstGeneration = 2;
    private const string Old = "old";

    // Blocks after the end that say that the one at the end was durable: its write was lost.
    private async ValueTask LookBeyondAsync(LogHeader header, long end, long limit)
    {
        long last = Math.Min(limit, end + 2L * header.Window);
        for (long next = end + 1; next < last; next++)
        {
            ReadOnlyMemory<byte> block = await _blocks.ReadAsync(next, last);
            if (!LogBlock.TryRead(block.Span, out LogBlock found) || found.LogId != header.LogId)
            {
                continue; // Free, and whatever is in it will be written over.
            }

            if (found.Sequence == next && found.Epoch == header.Epoch && found.Durable > end)
            {
                throw new DataCorruptException(_blocks.AddressOf(end), $"the block at {_blocks.AddressOf(next)} says that it was durable, but it is not there");
            }

            if (found.Sequence != next && found.Sequence != next - header.BlockCount)
            {
                throw new DataCorruptException(_blocks.AddressOf(next), $"it has block {found.Sequence} of the log instead of block {next}");
            }
        }
    }

    // What a block that was not written yet may hold: zeros in the ring's first round, the block of the round before, or what an
    // earlier opening was about to write when it was cut.
    private static bool IsOld(ReadOnlySpan<byte> block, long sequence, LogHeader header) =>
        LogBlock.TryRead(block, out LogBlock found)
            ? found.LogId == header.LogId
                && (found.Sequence == sequence ? found.Epoch < header.Epoch : found.Sequence == sequence - header.BlockCount && found.Epoch <= header.Epoch)
            : sequence < header.BlockCount && !block.ContainsAnyExcept((byte)0);

    private static string? Count(RecordAssembler records, ReadOnlyMemory<byte> block, LogBlock found, LogHeader header, ref long count)
    {
        string? fault = records.Enter(block, found);
        while (fault is null && records.TryNext(out LogRecord record, out fault))
        {
            count += record.Position >= header.Head ? 1 : 0;
        }

        return fault;
    }

    private static int MaxRecordLength(LogHeader header) => LogFormat.MaxRecordLength(header.BlockCount, header.BlockSize);

    private (LogHeader? Header, bool IsBlank) Parse(ReadOnlySpan<byte> block) =>
        (LogHeader.Read(block, area.BlockSize, area.BlockCount - 2), !block.ContainsAnyExcept((byte)0));

    private void Refuse(string? fault, long sequence)
    {
        if (fault is not null)
        {
            throw new DataCorruptException(_blocks.AddressOf(sequence), fault);
        }
    }
}
