using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Arrakis.Contract;
using Arrakis.DataPlane.Link;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Nic;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis;

/// <summary>
/// A bound virtual function of a NIC: queues, packet buffers and addresses that this process uses without a system call.
/// Each of its <see cref="Queues"/> is polled by one thread at a time; where there is one only, the methods here do that.
/// </summary>
public sealed class NicBinding : DeviceBinding
{
    private readonly Func<NicBinding, ValueTask> _release;
    private readonly Func<RevocationRequest, NicBinding, ValueTask>? _onRevocationRequested;
    private readonly NicQueue[] _queues;
    private readonly NicQueue? _only; // Where there is one queue.
    private readonly byte[] _steeringKey;

    /// <summary>Takes a grant and its descriptors, of which it becomes the owner, also where it throws.</summary>
    /// <param name="grant">The grant.</param>
    /// <param name="descriptors">What came with it.</param>
    /// <param name="release">Gives the binding back.</param>
    /// <param name="onRevocationRequested">Called when the binding is asked back.</param>
    /// <param name="time">The clock; null takes the system's.</param>
    /// <param name="isDevice">Whether a descriptor whose link in /proc is this one is a device's; null takes VFIO's only.</param>
    /// <exception cref="InvalidGrantException">The grant does not fit its descriptors, or this data plane cannot run it.</exception>
    internal NicBinding(
        Grant grant,
        IReadOnlyList<Descriptor> descriptors,
        Func<NicBinding, ValueTask> release,
        Func<RevocationRequest, NicBinding, ValueTask>? onRevocationRequested = null,
        TimeProvider? time = null,
        Predicate<string?>? isDevice = null)
        : base(grant, new BindingMemory(grant, descriptors, () => GrantValidation.Check(grant, descriptors, isDevice ?? GrantValidation.IsVfioDevice)), time)
    {
        Grant = grant;
        _release = release;
        _onRevocationRequested = onRevocationRequested;
        MaxFrameLength = grant.Mtu + EthernetView.HeaderLength;
        _steeringKey = grant.Steering is { } steering ? Convert.FromHexString(steering.ToeplitzKey) : []; // Checked: it has but such digits.
        NeighbourDirectory? neighbours = grant.QueuePairs == 1 ? null : new NeighbourDirectory(WakeQueues);
        _queues = MakeQueues(grant.QueuePairs, i => new NicQueue(this, i, neighbours, SignalsOf(i)));
        _only = _queues.Length == 1 ? _queues[0] : null;
        Counters = _only?.Counters ?? new NetCounters([.. _queues.Select(static queue => queue.Counters)]);
        foreach (NicQueue queue in _queues)
        {
            queue.Start();
        }
    }

    /// <summary>What was granted.</summary>
    public Grant Grant { get; }

    /// <summary>Its queue pairs, as many as were asked for. All are to be polled, each by one thread at a time.</summary>
    public IReadOnlyList<NicQueue> Queues => _queues;

    /// <summary>IPv4 address and network.</summary>
    public Ipv4Prefix Address => Grant.Address;

    /// <summary>Hardware address.</summary>
    public MacAddress Mac => Grant.Mac;

    /// <summary>Largest IP packet in bytes.</summary>
    public int Mtu => Grant.Mtu;

    /// <summary>The largest payload of a UDP datagram in bytes.</summary>
    public int MaxDatagramLength => _queues[0].Udp.MaxPayload;

    /// <summary>What was received, sent and dropped: the sum over the queues.</summary>
    public NetCounters Counters { get; }

    /// <summary>The largest frame in bytes, from the Ethernet header on.</summary>
    internal int MaxFrameLength { get; }

    /// <summary>The only queue.</summary>
    /// <exception cref="InvalidOperationException">There are several.</exception>
    internal NicQueue Only => _only ?? ThrowSeveral();

    /// <summary>
    /// The index of the queue to which the device will bring what a remote end point sends to a local port; null where it does
    /// not tell how it spreads flows (an external vhost-user back end).
    /// </summary>
    public int? QueueOf(UdpEndPoint remote, ushort localPort)
    {
        if (_only is not null)
        {
            return 0;
        }

        if (Grant.Steering is not { } steering)
        {
            return null;
        }

        Span<byte> flow = stackalloc byte[12]; // As on the wire, seen from the receiver (virtio 1.2 §5.1.6.4.3.1).
        BinaryPrimitives.WriteUInt32BigEndian(flow, remote.Address.Value);
        BinaryPrimitives.WriteUInt32BigEndian(flow[4..], Address.Address.Value);
        BinaryPrimitives.WriteUInt16BigEndian(flow[8..], remote.Port);
        BinaryPrimitives.WriteUInt16BigEndian(flow[10..], localPort);
        uint hash = ToeplitzHash.Compute(_steeringKey, flow);
        return steering.Table[(int)(hash & (uint)(steering.Table.Count - 1))];
    }

    /// <summary><see cref="NicQueue.Poll(PollOptions, PacketHandler, CancellationToken)"/> of the only queue.</summary>
    /// <inheritdoc cref="NicQueue.Poll(PollOptions, PacketHandler, CancellationToken)"/>
    /// <exception cref="InvalidOperationException">There are several queues; poll each of <see cref="Queues"/>. Or another thread or a reactor polls.</exception>
    public void Poll(PollOptions options, PacketHandler handler, CancellationToken cancellation = default) => Only.Poll(options, handler, cancellation);

    /// <summary><see cref="NicQueue.Poll(int, PacketHandler, CancellationToken)"/> of the only queue.</summary>
    /// <exception cref="InvalidOperationException">There are several queues; poll each of <see cref="Queues"/>. Or another thread or a reactor polls.</exception>
    public void Poll(int core, PacketHandler handler, CancellationToken cancellation = default) => Only.Poll(core, handler, cancellation);

    /// <summary><see cref="NicQueue.PollOnce"/> of the only queue.</summary>
    /// <inheritdoc cref="NicQueue.PollOnce"/>
    /// <exception cref="InvalidOperationException">There are several queues; poll each of <see cref="Queues"/>. Or another thread or a reactor polls, or the handler itself does.</exception>
    public int PollOnce(PacketHandler handler) => Only.PollOnce(handler);

    /// <summary>Whether a socket of another queue is bound to a port.</summary>
    internal bool IsBoundElsewhere(NicQueue here, ushort port)
    {
        foreach (NicQueue queue in _queues)
        {
            if (queue != here && queue.Ports?.IsBound(port) == true)
            {
                return true;
            }
        }

        return false;
    }

    private protected override bool WantsToBeAsked => _onRevocationRequested is not null;

    private protected override ValueTask AskBackAsync(RevocationRequest request) => _onRevocationRequested!(request, this);

    private protected override ValueTask ReleaseAsync() => _release(this);

    private void WakeQueues()
    {
        foreach (NicQueue queue in _queues)
        {
            queue.Waiter?.WakeIfSleeping();
        }
    }

    private (EventFd Event, Doorbell Receive, Doorbell Transmit) SignalsOf(int pair)
    {
        QueueGrant receive = Grant.Queues[2 * pair];
        return (Memory.EventAt(receive.EventDescriptor), DoorbellOf(receive), DoorbellOf(Grant.Queues[2 * pair + 1]));
    }

    private Doorbell DoorbellOf(QueueGrant queue) => Memory.DoorbellAt(queue.KickDescriptor, queue.Doorbell, queue.EventArm);

    [DoesNotReturn]
    private NicQueue ThrowSeveral() =>
        throw new InvalidOperationException($"The binding has {_queues.Length} queues: poll each of NicBinding.Queues, with a thread or a reactor of its own.");
}
