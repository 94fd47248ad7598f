using System.Numerics;

namespace Arrakis.SoftDevice.Ports.Tester;

/// <summary>
/// The requests under way. A sequence number carries its slot in its low bits, so that a reply finds its request
/// without a search; the rest counts up, so that a late reply does not pass for that of the slot's next request.
/// </summary>
internal sealed class InFlightWindow
{
    private readonly Request[] _requests;
    private readonly int[] _free;
    private readonly int _slotBits;
    private int _freeCount;
    private ulong _count;

    /// <summary>Makes an empty window.</summary>
    /// <param name="capacity">Requests that may be under way at once.</param>
    public InFlightWindow(int capacity)
    {
        _requests = new Request[capacity];
        _free = [.. Enumerable.Range(0, capacity)];
        _freeCount = capacity;
        _slotBits = BitOperations.Log2((uint)capacity - 1 | 1) + 1;
    }

    /// <summary>Requests under way.</summary>
    public int Count => _requests.Length - _freeCount;

    /// <summary>Whether no further request may be sent now.</summary>
    public bool IsFull => _freeCount == 0;

    /// <summary>Takes a slot and returns the request's sequence number.</summary>
    public ulong Open(long sentAt)
    {
        int slot = _free[--_freeCount];
        ulong sequence = _count++ << _slotBits | (uint)slot;
        _requests[slot] = new Request(sequence, sentAt, true);
        return sequence;
    }

    /// <summary>Whether a request is under way, and when it was sent.</summary>
    public bool TryFind(ulong sequence, out long sentAt)
    {
        int slot = (int)(sequence & (1UL << _slotBits) - 1);
        if (slot < _requests.Length && _requests[slot] is { IsOpen: true } request && request.Sequence == sequence)
        {
            sentAt = request.SentAt;
            return true;
        }

        sentAt = 0;
        return false;
    }

    /// <summary>Frees the slot of a request that is under way.</summary>
    public void Close(ulong sequence)
    {
        int slot = (int)(sequence & (1UL << _slotBits) - 1);
        _requests[slot] = default;
        _free[_freeCount++] = slot;
    }

    /// <summary>Finds a request that was sent at or before a time.</summary>
    public bool TryFindSentBy(long time, out ulong sequence, out long sentAt)
    {
        foreach (ref readonly Request request in _requests.AsSpan())
        {
            if (request.IsOpen && request.SentAt <= time)
            {
                sequence = request.Sequence;
                sentAt = request.SentAt;
                return true;
            }
        }

        sequence = 0;
        sentAt = 0;
        return false;
    }

    private readonly record struct Request(ulong Sequence, long SentAt, bool IsOpen);
}
