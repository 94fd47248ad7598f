using Arrakis.DataPlane.Memory;
using Arrakis.Wire;

namespace Arrakis.DataPlane.Rings;

/// <summary>One frame of a receive batch.</summary>
internal struct ReceivedFrame
{
    /// <summary>The buffer, owned until <see cref="ReceiveRing.Release"/>, or longer if it was taken.</summary>
    public PacketBuffer Buffer;

    /// <summary>Bytes of the frame in this buffer, without the virtio-net header.</summary>
    public int Length;

    /// <summary>The ring's descriptor.</summary>
    public ushort Descriptor;

    /// <summary>What the device said of it: <see cref="ReceiveOffload"/>.</summary>
    public ushort Offload;

    /// <summary>Whether the next element has more of it.</summary>
    public bool Continues;

    /// <summary>Whether it is more of the element before. Such a buffer has no virtio-net header: its bytes start where another's has one.</summary>
    public bool IsFollowing;

    /// <summary>Whether somebody took the buffer and another one is in the ring in its place.</summary>
    public bool Taken;

    /// <summary>Whether it is a good datagram for the application; the fields below are set then.</summary>
    public bool IsDatagram;

    /// <summary>Offset of the UDP payload in the frame.</summary>
    public ushort PayloadOffset;

    /// <summary>Bytes of the UDP payload.</summary>
    public ushort PayloadLength;

    /// <summary>UDP source port.</summary>
    public ushort SourcePort;

    /// <summary>UDP destination port.</summary>
    public ushort DestinationPort;

    /// <summary>IPv4 source.</summary>
    public Ipv4Address Source;
}
