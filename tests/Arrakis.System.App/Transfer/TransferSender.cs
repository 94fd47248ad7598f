using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Arrakis.SystemApp.Transfer;

/// <summary>
/// The sending side of a reliable transfer over datagrams: a window of chunks, each sent again when it is not acknowledged
/// in time or when later ones are. It knows no socket and no clock; whoever has both asks it for datagrams.
/// </summary>
internal sealed class TransferSender : IDisposable
{
    /// <summary>After this a chunk is taken for lost.</summary>
    private const long LossMilliseconds = 50;

    /// <summary>A chunk is not sent again sooner, however many acknowledgements show that it is missing.</summary>
    private const long RepeatMilliseconds = 5;

    /// <summary>How many later chunks must have come before one is taken for lost: networks may reorder.</summary>
    private const int Reordering = 3;

    private readonly uint _transfer;
    private readonly long _length;
    private readonly uint _chunks;
    private readonly ByteStream _stream;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly long[] _sentAt = new long[TransferFormat.Window];
    private readonly bool[] _acknowledged = new bool[TransferFormat.Window];
    private readonly bool[] _missing = new bool[TransferFormat.Window];
    private uint _first; // The oldest chunk that is not acknowledged.
    private uint _next; // The first that was never sent; _first <= _next <= _first + Window.
    private bool _someMissing;
    private long _lookedAt = long.MinValue;
    private long _endSentAt = long.MinValue;

    public TransferSender(uint transfer, ulong seed, long length)
    {
        _transfer = transfer;
        _length = length;
        _chunks = (uint)((length + TransferFormat.ChunkLength - 1) / TransferFormat.ChunkLength);
        _stream = new ByteStream(seed);
    }

    /// <summary>The SHA-256 of the stream, when all of it was sent once.</summary>
    public byte[] Sha256 { get; private set; } = [];

    /// <summary>What the receiver says to be the SHA-256 of what it has; null before it has all.</summary>
    public byte[]? ReceiversSha256 { get; private set; }

    /// <summary>Chunks that were sent again.</summary>
    public long Repeated { get; private set; }

    /// <summary>Writes the next datagram that is to be sent now. False where there is none.</summary>
    public bool TryNext(long milliseconds, Span<byte> datagram, out int length)
    {
        length = 0;
        if (ReceiversSha256 is not null)
        {
            return false;
        }

        if (_first == _chunks)
        {
            return TryEnd(milliseconds, datagram, out length);
        }

        if (TryRepeat(milliseconds, datagram, out length))
        {
            return true;
        }

        if (_next == _chunks || _next - _first == TransferFormat.Window)
        {
            return false;
        }

        length = WriteChunk(_next, milliseconds, datagram);
        _hash.AppendData(datagram[TransferFormat.HeaderLength..length]);
        _acknowledged[_next % TransferFormat.Window] = false;
        if (++_next == _chunks)
        {
            Sha256 = _hash.GetHashAndReset();
        }

        return true;
    }

    /// <summary>Takes a datagram of the receiver.</summary>
    public void Receive(long milliseconds, ReadOnlySpan<byte> datagram)
    {
        if (!TransferFormat.TryReadHeader(datagram, _transfer, out TransferKind kind, out uint number))
        {
            return;
        }

        if (kind == TransferKind.EndAcknowledgement && _first == _chunks && datagram.Length >= TransferFormat.HeaderLength + TransferFormat.HashLength)
        {
            ReceiversSha256 = datagram.Slice(TransferFormat.HeaderLength, TransferFormat.HashLength).ToArray();
        }
        else if (kind == TransferKind.Acknowledgement && datagram.Length >= TransferFormat.AcknowledgementLength && number >= _first && number <= _next)
        {
            Acknowledge(milliseconds, number, datagram[TransferFormat.HeaderLength..]);
        }
    }

    public void Dispose() => _hash.Dispose();

    private void Acknowledge(long milliseconds, uint next, ReadOnlySpan<byte> bits)
    {
        for (; _first != next; _first++)
        {
            _missing[_first % TransferFormat.Window] = false;
        }

        uint last = next;
        for (uint number = next; number != _next; number++)
        {
            uint bit = number - next;
            if ((bits[(int)(bit / 8)] >> (int)(bit % 8) & 1) != 0)
            {
                _acknowledged[number % TransferFormat.Window] = true;
                _missing[number % TransferFormat.Window] = false;
                last = number;
            }
        }

        for (uint number = next; number + Reordering < last; number++)
        {
            uint slot = number % TransferFormat.Window;
            _missing[slot] = !_acknowledged[slot] && milliseconds - _sentAt[slot] >= RepeatMilliseconds;
            _someMissing |= _missing[slot];
        }
    }

    private bool TryRepeat(long milliseconds, Span<byte> datagram, out int length)
    {
        length = 0;
        if (!_someMissing && milliseconds == _lookedAt)
        {
            return false;
        }

        for (uint number = _first; number != _next; number++)
        {
            uint slot = number % TransferFormat.Window;
            if (!_acknowledged[slot] && (_missing[slot] || milliseconds - _sentAt[slot] >= LossMilliseconds))
            {
                _missing[slot] = false;
                Repeated++;
                length = WriteChunk(number, milliseconds, datagram);
                return true;
            }
        }

        _someMissing = false;
        _lookedAt = milliseconds;
        return false;
    }

    private int WriteChunk(uint number, long milliseconds, Span<byte> datagram)
    {
        long offset = (long)number * TransferFormat.ChunkLength;
        int length = (int)Math.Min(TransferFormat.ChunkLength, _length - offset);
        TransferFormat.WriteHeader(datagram, TransferKind.Data, _transfer, number);
        _stream.Read(offset, datagram.Slice(TransferFormat.HeaderLength, length));
        _sentAt[number % TransferFormat.Window] = milliseconds;
        return TransferFormat.HeaderLength + length;
    }

    private bool TryEnd(long milliseconds, Span<byte> datagram, out int length)
    {
        length = 0;
        if (_endSentAt != long.MinValue && milliseconds - _endSentAt < LossMilliseconds)
        {
            return false;
        }

        _endSentAt = milliseconds;
        TransferFormat.WriteHeader(datagram, TransferKind.End, _transfer, _chunks);
        BinaryPrimitives.WriteInt64LittleEndian(datagram[TransferFormat.HeaderLength..], _length);
        Sha256.CopyTo(datagram[(TransferFormat.HeaderLength + sizeof(long))..]);
        length = TransferFormat.HeaderLength + sizeof(long) + TransferFormat.HashLength;
        return true;
    }
}
