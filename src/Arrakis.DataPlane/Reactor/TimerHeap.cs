namespace Arrakis;

/// <summary>Pending delays, the earliest on top: a binary heap in an array, each delay knowing its place so that it can be taken out.</summary>
internal sealed class TimerHeap
{
    private DelayOperation[] _heap = new DelayOperation[16];

    /// <summary>How many are pending.</summary>
    public int Count { get; private set; }

    /// <summary>When the earliest is due, in nanoseconds; the end of time if none is pending.</summary>
    public long NextDeadline { get; private set; } = long.MaxValue;

    /// <summary>Adds a delay.</summary>
    public void Add(DelayOperation delay)
    {
        if (Count == _heap.Length)
        {
            Array.Resize(ref _heap, Count * 2);
        }

        MoveUp(Count++, delay);
        NextDeadline = _heap[0].Deadline;
    }

    /// <summary>Takes the earliest delay that is due.</summary>
    public DelayOperation? TakeDue(long now)
    {
        if (NextDeadline > now)
        {
            return null;
        }

        DelayOperation due = _heap[0];
        Remove(due);
        return due;
    }

    /// <summary>Takes any delay, due or not; null if there is none.</summary>
    public DelayOperation? TakeAny() => TakeDue(long.MaxValue - 1);

    /// <summary>Takes a delay out. False if it is not in the heap.</summary>
    public bool Remove(DelayOperation delay)
    {
        int place = delay.Place;
        if ((uint)place >= (uint)Count || !ReferenceEquals(_heap[place], delay))
        {
            return false;
        }

        DelayOperation last = _heap[--Count];
        _heap[Count] = null!;
        delay.Place = -1;
        if (!ReferenceEquals(last, delay))
        {
            MoveDown(place, last);
            MoveUp(last.Place, last);
        }

        NextDeadline = Count > 0 ? _heap[0].Deadline : long.MaxValue;
        return true;
    }

    private void MoveUp(int place, DelayOperation delay)
    {
        while (place > 0 && _heap[(place - 1) / 2].Deadline > delay.Deadline)
        {
            Put(place, _heap[(place - 1) / 2]);
            place = (place - 1) / 2;
        }

        Put(place, delay);
    }

    private void MoveDown(int place, DelayOperation delay)
    {
        while (true)
        {
            int child = place * 2 + 1;
            if (child >= Count)
            {
                break;
            }

            if (child + 1 < Count && _heap[child + 1].Deadline < _heap[child].Deadline)
            {
                child++;
            }

            if (_heap[child].Deadline >= delay.Deadline)
            {
                break;
            }

            Put(place, _heap[child]);
            place = child;
        }

        Put(place, delay);
    }

    private void Put(int place, DelayOperation delay)
    {
        _heap[place] = delay;
        delay.Place = place;
    }
}
