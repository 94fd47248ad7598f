namespace Arrakis;

/// <summary>Why a good frame went no further; each reason has a counter of its own. Malformed frames are counted by <see cref="Wire.Frames.FrameError"/>.</summary>
public enum DropReason
{
    /// <summary>The Ethernet destination is another station's.</summary>
    EthernetDestinationForeign,

    /// <summary>The Ethernet source is a group address, or zero.</summary>
    EthernetSourceInvalid,

    /// <summary>The frame is longer than the MTU allows.</summary>
    FrameTooLong,

    /// <summary>The device says that the frame was damaged on the wire.</summary>
    FrameDamaged,

    /// <summary>An IPv4 packet to this host alone came in a frame to all stations (RFC 1122 §3.3.6).</summary>
    Ipv4UnicastInBroadcast,

    /// <summary>No socket is bound to the UDP port.</summary>
    UdpPortUnreachable,

    /// <summary>No socket of this queue is bound to the UDP port, but one of another queue of the binding is: serve the port on all queues, or choose it by <see cref="NicBinding.QueueOf"/>.</summary>
    UdpPortOnOtherQueue,

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
