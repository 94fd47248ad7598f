using System.Net.Sockets;

namespace Arrakis;

/// <summary>Sends of all sockets that wait for room in the transmit ring, oldest first.</summary>
internal sealed class SendWaiters
{
    private readonly OperationQueue<SendOperation, int> _queue = new();

    /// <summary>How many wait.</summary>
    public int Count => _queue.Count;

    /// <summary>Adds one.</summary>
    public void Add(SendOperation operation) => _queue.Enqueue(operation);

    /// <summary>Takes one out. False if it is not here.</summary>
    public bool Remove(SendOperation operation) => _queue.Remove(operation);

    /// <summary>Sends as many as there is room for. Returns how many went.</summary>
    public int Pump(NicQueue nic)
    {
        nic.ReclaimSent();
        int count = 0;
        while (_queue.Peek is { } operation && operation.Socket.TryFinish(operation))
        {
            count++;
        }

        return count;
    }

    /// <summary>Ends all of them.</summary>
    public void FailAll(Exception error)
    {
        for (int count = _queue.Count; count > 0 && _queue.Dequeue() is { } operation; count--)
        {
            operation.Finish(error);
        }
    }

    /// <summary>Ends those of one socket that is disposed.</summary>
    public void Abort(UdpSocket socket)
    {
        // Taken out first, then ended: who waits goes on inside of Finish, and may send again.
        var aborted = new OperationQueue<SendOperation, int>();
        for (int count = _queue.Count; count > 0 && _queue.Dequeue() is { } operation; count--)
        {
            (ReferenceEquals(operation.Socket, socket) ? aborted : _queue).Enqueue(operation);
        }

        while (aborted.Dequeue() is { } operation)
        {
            operation.Finish(new SocketException((int)SocketError.OperationAborted));
        }
    }
}
