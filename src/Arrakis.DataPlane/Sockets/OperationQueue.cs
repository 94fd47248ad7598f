namespace Arrakis;

/// <summary>Operations that wait, oldest first, linked through themselves: no allocation however many.</summary>
internal sealed class OperationQueue<TOperation, TResult>
    where TOperation : SocketOperation<TOperation, TResult>
{
    private TOperation? _head;
    private TOperation? _tail;

    /// <summary>The oldest, if there is any.</summary>
    public TOperation? Peek => _head;

    /// <summary>How many wait.</summary>
    public int Count { get; private set; }

    /// <summary>Adds one.</summary>
    public void Enqueue(TOperation operation)
    {
        operation.Next = null;
        operation.IsQueued = true;
        if (_tail is null)
        {
            _head = operation;
        }
        else
        {
            _tail.Next = operation;
        }

        _tail = operation;
        Count++;
    }

    /// <summary>Takes the oldest, if there is any.</summary>
    public TOperation? Dequeue()
    {
        TOperation? operation = _head;
        if (operation is not null)
        {
            _head = operation.Next;
            if (_head is null)
            {
                _tail = null;
            }

            operation.Next = null;
            operation.IsQueued = false;
            Count--;
        }

        return operation;
    }

    /// <summary>Takes one out wherever it is. False if it is not here.</summary>
    public bool Remove(TOperation operation)
    {
        if (!operation.IsQueued)
        {
            return false;
        }

        TOperation? before = null;
        for (TOperation? at = _head; at is not null; before = at, at = at.Next)
        {
            if (!ReferenceEquals(at, operation))
            {
                continue;
            }

            if (before is null)
            {
                _head = operation.Next;
            }
            else
            {
                before.Next = operation.Next;
            }

            if (ReferenceEquals(_tail, operation))
            {
                _tail = before;
            }

            operation.Next = null;
            operation.IsQueued = false;
            Count--;
            return true;
        }

        return false;
    }
}
