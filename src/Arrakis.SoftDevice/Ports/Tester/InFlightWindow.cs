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
    /// <param name="due">When the request was due; its latency counts from then.</param>
    /// <param name="sentAt">When it is sent; what is lost is found by it.</param>
    public ulong Open(long due, long sentAt)
    {
        int slot = _free[--_freeCount];
        ulong sequence = _count++ << _slotBits | (uint)slot;
        _requests[slot] = new Request(sequence, due, sentAt, true);
        return sequence;
    }

    /// <summary>Whether a request is under way, and when it was due.</summary>
    public bool TryFind(ulong sequence, out long due)
    {
        int slot = (int)(sequence & (1UL << _slotBits) - 1);
        if (slot < _requests.Length && _requests[slot] is { IsOpen: true } request && request.Sequence == sequence)
        {
            due = request.Due;
            return true;
        }

        due = 0;
        return false;
    }

    /// <summary>Frees the slot of a request that is under way.</summary>
    public void Close(ulong sequence) => Free((int)(sequence & (1UL << _slotBits) - 1));

    /// <summary>Gives up what was sent at or before a time.</summary>
    /// <param name="time">The time.</param>
    /// <param name="dueFrom">Only what was due then or later is counted.</param>
    /// <param name="next">When the first of those that are left was sent; <see cref="long.MaxValue"/> where none is.</param>
    /// <returns>How many were given up and count.</returns>
    public int GiveUp(long time, long dueFrom, out long next)
    {
        int lost = 0;
        next = long.MaxValue;
        for (int slot = 0; slot < _requests.Length; slot++)
        {
            ref readonly Request request = ref _requests[slot];
            if (!request.IsOpen)
            {
                continue;
            }

            if (request.SentAt <= time)
            {
                lost += request.Due >= dueFrom ? 1 : 0;
                Free(slot);
            }
            else
            {
                next = Math.Min(next, request.SentAt);
            }
        }

        return lost;
    }

    private void Free(int slot)
    {
        _requests[slot] = default;
        _free[_freeCount++] = slot;
    }

    private readonly record struct Request(ulong Sequence, long Due, long SentAt, bool IsOpen);
}
