using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Arrakis.SystemApp.Transfer;

/// <summary>
/// The receiving side: takes chunks in any order, hashes them in the stream's, and answers. It needs no clock, since every
/// answer is to a datagram: what is lost on the way back is answered again when the sender repeats itself.
/// </summary>
internal sealed class TransferReceiver(uint transfer) : IDisposable
{
    /// <summary>Chunks in order for each acknowledgement; anything out of order is acknowledged at once.</summary>
    private const int AcknowledgedTogether = 32;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[][] _waiting = new byte[TransferFormat.Window][];
    private readonly bool[] _isHere = new bool[TransferFormat.Window];
    private uint _next; // The first chunk that has not come.
    private uint _acknowledged;

    /// <summary>Bytes of the stream so far.</summary>
    public long Length { get; private set; }

    /// <summary>The SHA-256 of the stream; null before all of it is here.</summary>
    public byte[]? Sha256 { get; private set; }

    /// <summary>What the sender says to be the SHA-256 and the length, from its end.</summary>
    public (byte[] Sha256, long Length)? Sent { get; private set; }

    /// <summary>Takes a datagram of the sender, and writes the answer, which may be in its place. Returns the answer's length, 0 where none is due.</summary>
    public int Receive(ReadOnlySpan<byte> datagram, Span<byte> answer)
    {
        if (!TransferFormat.TryReadHeader(datagram, transfer, out TransferKind kind, out uint number))
        {
            return 0;
        }

        return kind switch
        {
            TransferKind.Data => ReceiveChunk(number, datagram[TransferFormat.HeaderLength..], answer),
            TransferKind.End when number == _next && datagram.Length >= TransferFormat.HeaderLength + sizeof(long) + TransferFormat.HashLength => ReceiveEnd(datagram[TransferFormat.HeaderLength..], answer),
            _ => 0,
        };
    }

    public void Dispose() => _hash.Dispose();

    private int ReceiveChunk(uint number, ReadOnlySpan<byte> chunk, Span<byte> answer)
    {
        // Before the window it has come already, and the sender does not know; beyond it nobody may send.
        if (number - _next >= TransferFormat.Window)
        {
            return Acknowledge(answer);
        }

        uint slot = number % TransferFormat.Window;
        if (number != _next)
        {
            if (!_isHere[slot])
            {
                _isHere[slot] = true;
                _waiting[slot] = chunk.ToArray();
            }

            return Acknowledge(answer);
        }

        Append(chunk);
        bool filled = false;
        for (slot = _next % TransferFormat.Window; _isHere[slot]; slot = _next % TransferFormat.Window)
        {
            _isHere[slot] = false;
            Append(_waiting[slot]);
            filled = true;
        }

        return filled || _next - _acknowledged >= AcknowledgedTogether ? Acknowledge(answer) : 0;
    }

    private void Append(ReadOnlySpan<byte> chunk)
    {
        _hash.AppendData(chunk);
        Length += chunk.Length;
        _next++;
    }

    private int Acknowledge(Span<byte> answer)
    {
        _acknowledged = _next;
        TransferFormat.WriteHeader(answer, TransferKind.Acknowledgement, transfer, _next);
        Span<byte> bits = answer[TransferFormat.HeaderLength..TransferFormat.AcknowledgementLength];
        bits.Clear();
        for (int i = 0; i < TransferFormat.Window; i++)
        {
            if (_isHere[(_next + i) % TransferFormat.Window])
            {
                bits[i / 8] |= (byte)(1 << (i % 8));
            }
        }

        return TransferFormat.AcknowledgementLength;
    }

    private int ReceiveEnd(ReadOnlySpan<byte> end, Span<byte> answer)
    {
        Sent ??= (end.Slice(sizeof(long), TransferFormat.HashLength).ToArray(), BinaryPrimitives.ReadInt64LittleEndian(end));
        Sha256 ??= _hash.GetHashAndReset();
        TransferFormat.WriteHeader(answer, TransferKind.EndAcknowledgement, transfer, _next);
        Sha256.CopyTo(answer[TransferFormat.HeaderLength..]);
        return TransferFormat.HeaderLength + TransferFormat.HashLength;
    }
}
