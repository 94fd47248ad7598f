using Arrakis.Contract;
using Arrakis.DataPlane.Ip;
using Arrakis.DataPlane.Link;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Nic;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Udp;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Wire;
using Tmds.Linux;

namespace Arrakis;

/// <summary>
/// A bound virtual function of a NIC: rings, packet buffers and addresses that this process uses without a system call.
/// One thread at a time polls it: <see cref="Poll(PollOptions, PacketHandler, CancellationToken)"/>, <see cref="PollOnce"/> or a <see cref="Reactor"/>.
/// </summary>
public sealed partial class NicBinding : IAsyncDisposable
{
    private const int BatchLength = 64;

    private readonly IReadOnlyList<Descriptor> _descriptors;
    private readonly Func<NicBinding, ValueTask> _release;
    private readonly Func<RevocationRequest, NicBinding, ValueTask>? _onRevocationRequested;
    private readonly StatusPageReader _status;
    private readonly DmaRegion _region;
    private readonly PacketPool _pool;
    private readonly ReceiveRing _receiveRing;
    private readonly TransmitRing _transmitRing;
    private readonly FrameSender _sender;
    private readonly ArpProtocol _arp;
    private readonly LinkLayer _link;
    private readonly UdpOutput _udp;
    private readonly EventFd _event;
    private readonly ReceivedFrame[] _batch = new ReceivedFrame[BatchLength];

    /// <summary>Takes a grant and its descriptors, of which it becomes the owner, also where it throws.</summary>
    /// <exception cref="InvalidGrantException">The grant does not fit its descriptors, or this data plane cannot run it.</exception>
    internal NicBinding(
        Grant grant,
        IReadOnlyList<Descriptor> descriptors,
        Func<NicBinding, ValueTask> release,
        Func<RevocationRequest, NicBinding, ValueTask>? onRevocationRequested = null,
        TimeProvider? time = null)
    {
        Grant = grant;
        Time = time ?? TimeProvider.System;
        _descriptors = descriptors;
        _release = release;
        _onRevocationRequested = onRevocationRequested;
        try
        {
            GrantValidation.Check(grant, descriptors);
            _status = StatusPageReader.Map(grant, descriptors[Grant.StatusDescriptor]);
            _region = DmaRegion.Map(grant.Memory, descriptors[Grant.MemoryDescriptor]);
            _pool = new PacketPool(_region, grant.Memory);
            _event = new EventFd(descriptors[Grant.EventDescriptor]);
            _receiveRing = ReceiveRing.Create(_region, _pool, grant.Queues[0], grant.Features, Doorbell(grant.Queues[0]));
            _transmitRing = TransmitRing.Create(_region, _pool, grant.Queues[1], grant.Features, Doorbell(grant.Queues[1]));
        }
        catch (Exception e)
        {
            _region?.Dispose();
            _status?.Dispose();
            CloseDescriptors();
            if (e is LinuxException { Errno: var errno } && (errno == LibC.EACCES || errno == LibC.ENODEV || errno == LibC.EINVAL || errno == LibC.EBADF))
            {
                throw new InvalidGrantException($"A descriptor of the grant is not what it is to be: {e.Message}.", e);
            }

            throw;
        }

        Ipv4Prefix address = grant.Address;
        _sender = new FrameSender(_receiveRing, _transmitRing, _pool, Counters);
        _arp = new ArpProtocol(grant.Mac, address, grant.Gateway, _sender, Counters);
        var ip = new Ipv4Layer(address, new IcmpEcho(grant.Mac, address.Address, _sender, Counters), new UdpInput(_pool), Counters);
        MaxFrameLength = grant.Mtu + Wire.Frames.EthernetView.HeaderLength;
        _link = new LinkLayer(grant.Mac, MaxFrameLength, _pool, _arp, ip, Counters);
        _udp = new UdpOutput(grant.Mac, address.Address, grant.Mtu, new Ipv4Route(address, grant.Gateway), _arp, _sender, grant.Features);
        _socketReserve = Math.Min(_transmitRing.Size, (_pool.Count - _receiveRing.Size) / 2);
        _seenState = BindingState.Active;
        _clockStart = Time.GetTimestamp();
        _receiveRing.Start();
    }

    /// <summary>What was granted.</summary>
    public Grant Grant { get; }

    /// <summary>IPv4 address and network.</summary>
    public Ipv4Prefix Address => Grant.Address;

    /// <summary>Hardware address.</summary>
    public MacAddress Mac => Grant.Mac;

    /// <summary>Largest IP packet in bytes.</summary>
    public int Mtu => Grant.Mtu;

    /// <summary>The largest payload of a UDP datagram in bytes.</summary>
    public int MaxDatagramLength => _udp.MaxPayload;

    /// <summary>What was received, sent and dropped.</summary>
    public NetCounters Counters { get; } = new();

    /// <summary>The clock of timers and neighbours.</summary>
    internal TimeProvider Time { get; }

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

    /// <summary>What the device signals.</summary>
    internal EventFd Event => _event;

    private EventFd Doorbell(QueueGrant queue) => new(_descriptors[queue.KickDescriptor]);

    private void CloseDescriptors()
    {
        foreach (Descriptor descriptor in _descriptors)
        {
            descriptor.Dispose();
        }
    }
}
