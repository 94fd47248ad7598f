using System.Buffers.Binary;

namespace Arrakis.UdpLatency.Kernel;

/// <summary>
/// The requests that a closed-loop client has under way: one slot each. A payload begins with its sequence number
/// (which names the slot) and its send time, both little-endian u64; the rest is a pattern of the sequence number.
/// </summary>
internal sealed class RequestSlots
{
    /// <summary>The shortest payload: sequence number and send time.</summary>
    public const int MinPayloadLength = 16;

    private readonly byte[][] _payloads;
    private readonly ulong[] _sequences;
    private readonly long[] _sentAt;
    private ulong _rounds;

    public RequestSlots(int count, int payloadLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfLessThan(payloadLength, MinPayloadLength);
        _payloads = new byte[count][];
        for (int i = 0; i < count; i++)
        {
            _payloads[i] = new byte[payloadLength];
        }

        _sequences = new ulong[count];
        _sentAt = new long[count];
    }

    public int Count => _payloads.Length;

    /// <summary>Makes a slot's next request; the array stays the slot's.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="now">Send time, in the caller's clock.</param>
    public byte[] Next(int slot, long now)
    {
        byte[] payload = _payloads[slot];
        ulong sequence = ++_rounds * (ulong)Count + (ulong)slot;
        _sequences[slot] = sequence;
        _sentAt[slot] = now;
        BinaryPrimitives.WriteUInt64LittleEndian(payload, sequence);
        BinaryPrimitives.WriteInt64LittleEndian(payload.AsSpan(8), now);
        payload.AsSpan(MinPayloadLength).Fill((byte)sequence);
        return payload;
    }

    /// <summary>When a slot's request was sent.</summary>
    public long SentAt(int slot) => _sentAt[slot];

    /// <summary>Compares a reply with the request that it answers, byte by byte.</summary>
    /// <param name="reply">The reply.</param>
    /// <param name="slot">The slot, of a match.</param>
    public ReplyMatch Match(ReadOnlySpan<byte> reply, out int slot)
    {
        slot = 0;
        if (reply.Length != _payloads[0].Length)
        {
            return ReplyMatch.Corrupt;
        }

        ulong sequence = BinaryPrimitives.ReadUInt64LittleEndian(reply);
        slot = (int)(sequence % (ulong)Count);
        if (_sequences[slot] != sequence)
        {
            return sequence < _sequences[slot] ? ReplyMatch.Late : ReplyMatch.Corrupt;
        }

        return reply.SequenceEqual(_payloads[slot]) ? ReplyMatch.Exact : ReplyMatch.Corrupt;
    }
}

/// <summary>What a reply is.</summary>
internal enum ReplyMatch
{
    /// <summary>The request's bytes.</summary>
    Exact,

    /// <summary>It answers a request that was given up for lost.</summary>
    Late,

    /// <summary>It answers nothing that was sent, or not with the same bytes.</summary>
    Corrupt,
}
