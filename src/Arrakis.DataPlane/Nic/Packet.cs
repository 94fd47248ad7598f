#pragma warning disable CA1822 // The members come with the rings.
namespace Arrakis;

/// <summary>Handles a batch of received packets.</summary>
/// <param name="received">The packets; valid until the handler returns.</param>
/// <param name="transmit">Where replies go.</param>
public delegate void PacketHandler(PacketBatch received, TransmitQueue transmit);

/// <summary>Packets that were received together.</summary>
public readonly ref struct PacketBatch
{
    /// <summary>How many.</summary>
    public int Count => 0;

    /// <summary>One of them.</summary>
    public Packet this[int index] => default;

    /// <summary>Enumerates them.</summary>
    public Enumerator GetEnumerator() => default;

    /// <summary>Enumerates a batch.</summary>
    public ref struct Enumerator
    {
        /// <summary>The packet.</summary>
        public readonly Packet Current => default;

        /// <summary>Goes on.</summary>
        public readonly bool MoveNext() => false;
    }
}

/// <summary>A packet buffer of a ring.</summary>
public readonly ref struct Packet
{
    /// <summary>The frame.</summary>
    public Span<byte> Frame => default;

    /// <summary>Reads it as a UDP datagram.</summary>
    public bool TryGetUdp(out UdpDatagram datagram)
    {
        datagram = default;
        return false;
    }
}

/// <summary>A received UDP datagram in its packet buffer.</summary>
public readonly ref struct UdpDatagram
{
    /// <summary>Who sent it.</summary>
    public UdpEndPoint Source => default;

    /// <summary>The port that it came to.</summary>
    public ushort DestinationPort => 0;

    /// <summary>The payload, writable for a reply in place.</summary>
    public Span<byte> Payload => default;

    /// <summary>Turns the packet round: the reply is the first bytes of the payload as it now is.</summary>
    public Packet Reply(int payloadLength) => default;

    /// <summary>Turns the packet round: the reply is the payload as it now is.</summary>
    public Packet Reply() => default;
}

/// <summary>The transmit ring, for the time of a handler.</summary>
public readonly ref struct TransmitQueue
{
    /// <summary>Posts a packet. False if the ring or the pool has no room; it is counted and the packet is dropped.</summary>
    public bool Post(Packet packet) => false;

    /// <summary>Sends a copy of a payload.</summary>
    public bool TrySend(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload) => false;
}
