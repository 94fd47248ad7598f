using System.Buffers.Binary;

namespace Arrakis.DataPlane.Storage;

/// <summary>Takes records out of blocks that were found right, over their borders. The first block may be in the middle of a record, which is passed over.</summary>
/// <param name="blockSize">Bytes of a block.</param>
/// <param name="maxLength">The most that a record can have.</param>
internal sealed class RecordAssembler(int blockSize, int maxLength)
{
    private byte[] _parts = [];
    private ReadOnlyMemory<byte> _block;
    private LogBlock _header;
    private int _offset;
    private bool _hasStarted;
    private bool _isPartial;
    private bool _isWhole;
    private uint _epoch; // That of the partial record.
    private LogPosition _position;
    private bool _isMark;
    private int _length;
    private int _have;

    /// <summary>Goes on with the next block.</summary>
    /// <returns>Null, or what is wrong with it.</returns>
    public string? Enter(ReadOnlyMemory<byte> block, LogBlock header)
    {
        _block = block[..header.Used];
        _header = header;
        if (_isPartial && header.Epoch != _epoch)
        {
            _isPartial = false; // A crash cut it: the next opening began with a record of its own.
        }

        if (_isPartial)
        {
            return GoOn();
        }

        _offset = header.FirstRecord == 0 ? header.Used : header.FirstRecord;
        bool isRight = _hasStarted ? header.FirstRecord == LogFormat.BlockHeaderLength : true;
        _hasStarted |= header.FirstRecord != 0;
        return isRight ? null : "its records do not follow those of the block before";
    }

    /// <summary>Takes the next record that ends in the block.</summary>
    /// <param name="record">The record.</param>
    /// <param name="fault">What is wrong with the block, if so.</param>
    /// <returns>False where none is left, or something is wrong.</returns>
    public bool TryNext(out LogRecord record, out string? fault)
    {
        record = default;
        fault = null;
        if (_isWhole)
        {
            _isWhole = false;
            record = new LogRecord(_position, _parts.AsMemory(0, _length)) { IsMark = _isMark };
            return true;
        }

        if (_offset == _block.Length)
        {
            return false;
        }

        if (_block.Length - _offset < LogFormat.RecordHeaderLength)
        {
            fault = "a record's header does not fit";
            return false;
        }

        var position = new LogPosition(_header.Sequence * blockSize + _offset);
        int length = BinaryPrimitives.ReadInt32LittleEndian(_block.Span[_offset..]);
        bool isMark = (length & LogFormat.MarkFlag) != 0;
        length &= ~LogFormat.MarkFlag;
        if (length > maxLength)
        {
            fault = $"a record says that it has {length} bytes";
            return false;
        }

        _offset += LogFormat.RecordHeaderLength;
        int here = Math.Min(length, _block.Length - _offset);
        if (here < length)
        {
            if (_block.Length != blockSize)
            {
                fault = "a record goes over the end of what is in use";
                return false;
            }

            _isPartial = true;
            _epoch = _header.Epoch;
            _position = position;
            _isMark = isMark;
            _length = length;
            _have = 0;
            Take(here);
            return false;
        }

        record = new LogRecord(position, _block.Slice(_offset, length)) { IsMark = isMark };
        _offset += length;
        return true;
    }

    private string? GoOn()
    {
        int rest = _length - _have;
        int here = Math.Min(rest, blockSize - LogFormat.BlockHeaderLength);
        int end = LogFormat.BlockHeaderLength + here;
        bool isRight = here < rest ? _header.FirstRecord == 0 && _header.Used == blockSize
            : _header.FirstRecord == 0 ? _header.Used == end
            : _header.FirstRecord == end;
        if (!isRight)
        {
            return "it does not go on with the record of the block before";
        }

        _offset = LogFormat.BlockHeaderLength;
        Take(here);
        if (here == rest)
        {
            _isPartial = false;
            _isWhole = true;
        }

        return null;
    }

    private void Take(int count)
    {
        if (_parts.Length < _have + count)
        {
            // As bytes come, whatever length the record says.
            Array.Resize(ref _parts, (int)Math.Min(_length, Math.Max(_have + count, 2L * _parts.Length)));
        }

        _block.Span.Slice(_offset, count).CopyTo(_parts.AsSpan(_have));
        _have += count;
        _offset += count;
    }
}
