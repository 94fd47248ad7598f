using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Udp;

namespace Arrakis;

/// <summary>A received UDP datagram in its packet buffer.</summary>
public readonly ref struct UdpDatagram
{
    private readonly NicQueue _nic;
    private readonly PacketBuffer _buffer;
    private readonly int _index;

    internal UdpDatagram(NicQueue nic, PacketBuffer buffer, int index)
    {
        _nic = nic;
        _buffer = buffer;
        _index = index;
    }

    /// <summary>Who sent it.</summary>
    public UdpEndPoint Source => new(Fields.Source, Fields.SourcePort);

    /// <summary>The port that it came to.</summary>
    public ushort DestinationPort => Fields.DestinationPort;

    /// <summary>The payload, writable in place.</summary>
    /// <exception cref="InvalidOperationException">The packet was posted.</exception>
    public Span<byte> Payload
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _nic.Bytes(_buffer, BufferLayout.FrameOffset + Fields.PayloadOffset, Fields.PayloadLength);
    }

    /// <summary>The payload and the room after it, as long as a reply may be.</summary>
    /// <exception cref="InvalidOperationException">The packet was posted.</exception>
    public Span<byte> PayloadBuffer => _nic.Bytes(_buffer, BufferLayout.FrameOffset + Fields.PayloadOffset, _nic.MaxReply(in Fields));

    private ref readonly ReceivedFrame Fields
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _nic.Received(_index);
    }

    /// <summary>Turns the packet round in place: the payload, as it now is, goes back to its sender when posted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Packet Reply() => Reply(Fields.PayloadLength);

    /// <summary>Turns the packet round in place: the first bytes of <see cref="PayloadBuffer"/> go back to its sender when posted.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The reply is longer than <see cref="PayloadBuffer"/>.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Packet Reply(int payloadLength)
    {
        if ((uint)payloadLength > (uint)_nic.MaxReply(in Fields))
        {
            ThrowTooLong(payloadLength, _nic.MaxReply(in Fields));
        }

        int offset = _nic.WriteReply(_buffer, _index, payloadLength);
        return new Packet(_nic, _buffer, _index, offset, UdpOutput.HeadersLength + payloadLength);
    }

    private static void ThrowTooLong(int length, int limit) =>
        throw new ArgumentOutOfRangeException(nameof(length), length, $"A reply in this packet has at most {limit} bytes.");
}
