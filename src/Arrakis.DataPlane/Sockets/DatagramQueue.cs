using Arrakis.DataPlane.Memory;

namespace Arrakis;

/// <summary>A datagram that nobody waits for yet, in its packet buffer.</summary>
internal readonly record struct QueuedDatagram(PacketBuffer Buffer, int PayloadOffset, int PayloadLength, UdpEndPoint Source);

/// <summary>A socket's received datagrams, oldest first; bounded. The buffers are the ring's own: nothing is copied.</summary>
internal sealed class DatagramQueue(int capacity)
{
    private readonly QueuedDatagram[] _items = new QueuedDatagram[capacity];
    private int _head;

    /// <summary>How many wait.</summary>
    public int Count { get; private set; }

    /// <summary>Whether no more fit.</summary>
    public bool IsFull => Count == _items.Length;

    /// <summary>Adds one; there must be room.</summary>
    public void Enqueue(in QueuedDatagram datagram)
    {
        int at = _head + Count;
        _items[at >= _items.Length ? at - _items.Length : at] = datagram;
        Count++;
    }

    /// <summary>Takes the oldest; there must be one.</summary>
    public QueuedDatagram Dequeue()
    {
        QueuedDatagram oldest = _items[_head];
        _head = _head + 1 == _items.Length ? 0 : _head + 1;
        Count--;
        return oldest;
    }
}
