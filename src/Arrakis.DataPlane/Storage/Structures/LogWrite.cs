using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Arrakis.DataPlane.Storage;

/// <summary>A buffer of a log: records are put into its blocks, then it is sealed and written, and used again when the write is done.</summary>
internal sealed class LogWrite
{
    private readonly int _blockSize;
    private readonly int[] _firstRecords;
    private readonly int[] _used;
    private int _block;
    private int _offset;

    /// <param name="buffer">The buffer.</param>
    /// <param name="maxBlocks">Blocks that go into it.</param>
    /// <param name="blockSize">Bytes of a block.</param>
    /// <param name="completed">Called when a write that was under way is done.</param>
    public LogWrite(BlockBuffer buffer, int maxBlocks, int blockSize, Action<LogWrite> completed)
    {
        Buffer = buffer;
        _blockSize = blockSize;
        _firstRecords = new int[maxBlocks];
        _used = new int[maxBlocks];
        Completed = () => completed(this);
    }

    /// <summary>The buffer.</summary>
    public BlockBuffer Buffer { get; }

    /// <summary>The first block's number.</summary>
    public long Sequence { get; private set; }

    /// <summary>Blocks that it may take now.</summary>
    public int Capacity { get; private set; }

    /// <summary>Blocks that have something in them.</summary>
    public int Blocks => _offset == LogFormat.BlockHeaderLength ? _block : _block + 1;

    /// <summary>Whether no byte was put in yet.</summary>
    public bool IsEmpty => _block == 0 && _offset == LogFormat.BlockHeaderLength;

    /// <summary>Whether nothing more fits.</summary>
    public bool IsFull => _block == Capacity;

    /// <summary>The blocks that the records whose last byte is in it may have needed at most.</summary>
    public long Reserved { get; set; }

    /// <summary>The checksum of its last block, once sealed.</summary>
    public uint LastChecksum { get; private set; }

    /// <summary>Whether its write is done.</summary>
    public bool IsDone { get; set; }

    /// <summary>The write under way.</summary>
    public ValueTaskAwaiter Awaiter { get; private set; }

    /// <summary>What the write under way calls in the end.</summary>
    public Action Completed { get; }

    /// <summary>Makes it ready for other records.</summary>
    /// <param name="sequence">The first block's number.</param>
    /// <param name="capacity">Blocks that it may take.</param>
    public void Begin(long sequence, int capacity)
    {
        Sequence = sequence;
        Capacity = capacity;
        Reserved = 0;
        IsDone = false;
        _block = 0;
        _offset = LogFormat.BlockHeaderLength;
        _firstRecords[0] = 0;
    }

    /// <summary>Keeps the write that is under way.</summary>
    public void Begin(ValueTask write) => Awaiter = write.GetAwaiter();

    /// <summary>Puts a record's header in. False where there is no room.</summary>
    public bool TryStartRecord(int length, bool isMark, out LogPosition position)
    {
        if (!IsFull && _blockSize - _offset < LogFormat.RecordHeaderLength)
        {
            EndBlock();
        }

        if (IsFull)
        {
            position = default;
            return false;
        }

        position = new LogPosition((Sequence + _block) * _blockSize + _offset);
        if (_firstRecords[_block] == 0)
        {
            _firstRecords[_block] = _offset;
        }

        BinaryPrimitives.WriteInt32LittleEndian(Buffer.Span[(_block * _blockSize + _offset)..], isMark ? length | LogFormat.MarkFlag : length);
        _offset += LogFormat.RecordHeaderLength;
        return true;
    }

    /// <summary>Puts in what fits of a record's bytes. Returns how many that are.</summary>
    public int Put(ReadOnlySpan<byte> bytes)
    {
        int put = 0;
        Span<byte> buffer = Buffer.Span;
        while (put < bytes.Length)
        {
            if (!IsFull && _offset == _blockSize)
            {
                EndBlock();
            }

            if (IsFull)
            {
                break;
            }

            int count = Math.Min(_blockSize - _offset, bytes.Length - put);
            bytes.Slice(put, count).CopyTo(buffer[(_block * _blockSize + _offset)..]);
            _offset += count;
            put += count;
        }

        return put;
    }

    /// <summary>The number after that of the block that was put into last.</summary>
    public long EndSequence => Sequence + Blocks;

    /// <summary>Writes the headers of all its blocks.</summary>
    /// <returns>The blocks.</returns>
    public int Seal(ulong logId, uint epoch, long durable, uint previous)
    {
        int blocks = Blocks;
        if (_block < blocks)
        {
            _used[_block] = _offset;
        }

        Span<byte> buffer = Buffer.Span;
        for (int i = 0; i < blocks; i++)
        {
            previous = new LogBlock(logId, Sequence + i, durable, epoch, previous, _used[i], _firstRecords[i], 0)
                .Seal(buffer.Slice(i * _blockSize, _blockSize));
        }

        LastChecksum = previous;
        return blocks;
    }

    private void EndBlock()
    {
        _used[_block++] = _offset;
        _offset = LogFormat.BlockHeaderLength;
        if (_block < Capacity)
        {
            _firstRecords[_block] = 0;
        }
    }
}
