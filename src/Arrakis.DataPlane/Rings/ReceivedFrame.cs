using Arrakis.DataPlane.Memory;

namespace Arrakis.DataPlane.Rings;

/// <summary>One frame of a receive batch.</summary>
internal struct ReceivedFrame
{
    /// <summary>The buffer, owned until <see cref="ReceiveRing.Release"/>, or longer if it was taken.</summary>
    public PacketBuffer Buffer;

    /// <summary>Bytes of the frame, without the virtio-net header.</summary>
    public int Length;

    /// <summary>The ring's descriptor.</summary>
    public ushort Descriptor;

    /// <summary>Whether somebody took the buffer and another one is in the ring in its place.</summary>
    public bool Taken;

    /// <summary>Offset of the UDP payload in the frame; set by the network stack.</summary>
    public ushort PayloadOffset;

    /// <summary>Bytes of the UDP payload; set by the network stack.</summary>
    public ushort PayloadLength;
}
