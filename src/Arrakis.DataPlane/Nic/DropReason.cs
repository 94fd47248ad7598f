namespace Arrakis;

/// <summary>Why a good frame went no further; each reason has a counter of its own. Malformed frames are counted by <see cref="Wire.Frames.FrameError"/>.</summary>
public enum DropReason
{
    /// <summary>The Ethernet destination is another station's.</summary>
    EthernetDestinationForeign,

    /// <summary>The Ethernet source is a group address.</summary>
    EthernetSourceInvalid,

    /// <summary>No socket is bound to the UDP port.</summary>
    UdpPortUnreachable,

    /// <summary>The socket's receive queue is full.</summary>
    SocketQueueFull,

    /// <summary>All packet buffers are in use.</summary>
    NoBuffer,

    /// <summary>The transmit ring is full.</summary>
    TransmitRingFull,

    /// <summary>Too many frames wait for the next hop's hardware address.</summary>
    NeighbourQueueFull,

    /// <summary>The next hop did not answer ARP.</summary>
    NeighbourUnreachable,
}
