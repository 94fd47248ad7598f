using Arrakis.Contract;
using Arrakis.DataPlane.Ip;
using Arrakis.DataPlane.Link;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Udp;
using Arrakis.Native.Events;

namespace Arrakis;

/// <summary>
/// A queue pair of a binding, with a share of its packet buffers: what one thread at a time polls, by
/// <see cref="Poll(PollOptions, PacketHandler, CancellationToken)"/>, <see cref="PollOnce"/> or a <see cref="Reactor"/>. The queues of
/// a binding share its addresses and what is known of neighbours, and nothing that is written for each packet.
/// </summary>
/// <remarks>
/// The device spreads flows over all queues, so each needs a poller. What is no flow, such as ARP, comes to the first: while that
/// one is not polled, no neighbour is found.
/// </remarks>
public sealed partial class NicQueue : BindingQueue
{
    private const int BatchLength = 64;

    private readonly PacketPool _pool;
    private readonly ReceiveRing _receiveRing;
    private readonly TransmitRing _transmitRing;
    private readonly FrameSender _sender;
    private readonly ArpProtocol _arp;
    private readonly LinkLayer _link;
    private readonly UdpOutput _udp;
    private readonly ReceivedFrame[] _batch = new ReceivedFrame[BatchLength];

    // The queues of a binding are made one after the other: keeps what the next one's poller writes out of this one's lines.
    private readonly byte[] _distance;

    /// <summary>Makes a queue of a binding.</summary>
    /// <param name="nic">The binding.</param>
    /// <param name="index">Which of its pairs.</param>
    /// <param name="neighbours">What the binding's queues know of neighbours; null where there is one queue.</param>
    /// <param name="signals">The event, the receive and the transmit doorbell.</param>
    internal NicQueue(NicBinding nic, int index, NeighbourDirectory? neighbours, (EventFd Event, Doorbell Receive, Doorbell Transmit) signals)
        : base(nic, index, signals.Event)
    {
        Nic = nic;
        MaxFrameLength = nic.MaxFrameLength;
        DmaRegion region = nic.Memory.Region;
        Grant grant = nic.Grant;
        long buffers = grant.Memory.BufferLength / grant.Memory.BufferSize / grant.QueuePairs;
        long bufferBytes = buffers * grant.Memory.BufferSize;
        _pool = new PacketPool(region, grant.Memory with { BufferOffset = grant.Memory.BufferOffset + index * bufferBytes, BufferLength = bufferBytes });
        _receiveRing = ReceiveRing.Create(region, _pool, grant.Queues[2 * index], grant.Features, signals.Receive, Counters);
        _transmitRing = TransmitRing.Create(region, _pool, grant.Queues[2 * index + 1], grant.Features, signals.Transmit);
        _sender = new FrameSender(_receiveRing, _transmitRing, _pool, Counters);
        _arp = new ArpProtocol(grant.Mac, grant.Address, grant.Gateway, _sender, Counters, neighbours);
        var ip = new Ipv4Layer(grant.Address, new IcmpEcho(grant.Mac, grant.Address.Address, _sender, Counters), new UdpInput(_pool), Counters);
        _link = new LinkLayer(grant.Mac, MaxFrameLength, _pool, _arp, ip, Counters);
        _udp = new UdpOutput(grant.Mac, grant.Address.Address, grant.Mtu, new Ipv4Route(grant.Address, grant.Gateway), _arp, _sender, grant.Features);
        _socketReserve = Math.Min(_transmitRing.Size, (_pool.Count - _receiveRing.Size) / 2);
        _distance = new byte[2 * CacheLine.Size];
    }

    /// <summary>The binding that it is of.</summary>
    public NicBinding Nic { get; }

    /// <summary>What was received, sent and dropped by this queue.</summary>
    public NetCounters Counters { get; } = new();

    /// <summary>The largest frame in bytes, from the Ethernet header on.</summary>
    internal int MaxFrameLength { get; }

    /// <summary>UDP output, for the sockets.</summary>
    internal UdpOutput Udp => _udp;

    /// <summary>Buffers, for the sockets.</summary>
    internal FrameSender Sender => _sender;

    /// <summary>Packet buffers, for who drives the rings alone.</summary>
    internal PacketPool Pool => _pool;

    /// <summary>The receive ring.</summary>
    internal ReceiveRing ReceiveRing => _receiveRing;

    /// <summary>The transmit ring.</summary>
    internal TransmitRing TransmitRing => _transmitRing;

    /// <summary>Gives the device buffers to receive into.</summary>
    internal void Start() => _receiveRing.Start();
}
