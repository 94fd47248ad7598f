using Arrakis.DataPlane.Memory;

namespace Arrakis;

/// <summary>The transmit ring, for the time of a handler.</summary>
public readonly ref struct TransmitQueue
{
    private readonly NicQueue _nic;

    internal TransmitQueue(NicQueue nic) => _nic = nic;

    /// <summary>Posts a packet, which is the ring's afterwards. False if the ring or the pool has no room; the packet is dropped and counted.</summary>
    /// <exception cref="InvalidOperationException">The packet was posted or given back before.</exception>
    public bool Post(Packet packet) => _nic.Post(in packet);

    /// <summary>Takes a free buffer to build a frame in. False if all are in use.</summary>
    /// <param name="frameLength">Bytes from the Ethernet header on.</param>
    /// <param name="packet">To be filled, then posted or given back. Its bytes are whatever was there before.</param>
    public bool TryRent(int frameLength, out Packet packet)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(frameLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frameLength, _nic.MaxFrameLength);
        bool rented = _nic.TryRent(out PacketBuffer buffer);
        packet = rented ? new Packet(_nic, buffer, Packet.Rented, 0, frameLength) : default;
        return rented;
    }

    /// <summary>Gives a rented packet back unsent.</summary>
    public void Return(Packet packet) => _nic.Return(in packet);

    /// <summary>Sends a copy of a payload; asks for the neighbour's hardware address first where it is not known. False if it cannot be sent now, or at all.</summary>
    public bool TrySend(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload) => _nic.TrySend(sourcePort, destination, payload);
}
