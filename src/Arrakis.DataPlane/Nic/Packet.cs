using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;

namespace Arrakis;

/// <summary>A frame in a packet buffer of the rings: received, or rented to be sent. Nothing is copied.</summary>
public readonly ref struct Packet
{
    /// <summary>Index of a packet that is in no receive batch.</summary>
    internal const int Rented = -1;

    internal readonly NicQueue Nic;
    internal readonly PacketBuffer Buffer;
    internal readonly int Index;
    internal readonly int Offset;
    internal readonly int Length;

    internal Packet(NicQueue nic, PacketBuffer buffer, int index, int offset, int length)
    {
        Nic = nic;
        Buffer = buffer;
        Index = index;
        Offset = offset;
        Length = length;
    }

    /// <summary>The frame, from the Ethernet header on, writable in place.</summary>
    /// <exception cref="InvalidOperationException">The packet was posted or given back.</exception>
    public Span<byte> Frame
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            Span<byte> frame = Nic.Bytes(Buffer, BufferLayout.FrameOffset + Offset, Length);
            if (Index != Rented)
            {
                Nic.CompleteChecksum(Index);
            }

            return frame;
        }
    }

    /// <summary>Reads it as a UDP datagram, whose lengths and checksum were checked when it was received.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGetUdp(out UdpDatagram datagram)
    {
        datagram = new UdpDatagram(Nic, Buffer, Index);
        return Index != Rented;
    }
}
