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

    /// <summary>
    /// Sends a copy of a payload as several datagrams of one size, of which the last may be shorter. The device cuts them where the
    /// grant has <see cref="Wire.Virtio.VirtioFeatures.NetHostUso"/>; what arrives is the same.
    /// </summary>
    /// <param name="sourcePort">Sender's port.</param>
    /// <param name="destination">Where they go; no broadcast address.</param>
    /// <param name="payload">At most <see cref="UdpSocket.MaxSegmentedLength"/> bytes in <see cref="UdpSocket.MaxSegments"/> datagrams.</param>
    /// <param name="segmentSize">Bytes of payload in each datagram: 1 to <see cref="NicBinding.MaxDatagramLength"/>.</param>
    /// <returns>False if they cannot be sent now, or at all; then none is.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The segment size is not positive.</exception>
    public bool TrySendSegments(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload, int segmentSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(segmentSize);
        return _nic.TrySendSegments(sourcePort, destination, payload, segmentSize);
    }

    /// <summary>Sends a copy of a payload; asks for the neighbour's hardware address first where it is not known. False if it cannot be sent now, or at all.</summary>
    public bool TrySend(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload) => _nic.TrySend(sourcePort, destination, payload);
}
