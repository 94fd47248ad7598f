using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Rings;

namespace Arrakis;

/// <content>What a reactor polls: frames go to sockets.</content>
public sealed partial class NicQueue
{
    // Buffers that sockets' queues leave to the transmit ring, so that who does not read can still send.
    private readonly int _socketReserve;

    private UdpPortTable? _ports;

    /// <summary>Looks at the rings once and hands datagrams to sockets. Returns the frames received. Between <see cref="BindingQueue.Enter"/> and <see cref="BindingQueue.Leave"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal int PollSockets(UdpPortTable ports)
    {
        CheckStatus();
        int count = _receiveRing.Receive(_batch);
        if (count == 0)
        {
            if ((++_polls & (PollsPerReclaim - 1)) == 0 && _transmitRing.HasOutstanding)
            {
                _ = _transmitRing.Reclaim();
            }

            return 0;
        }

        Span<ReceivedFrame> batch = _batch.AsSpan(0, count);
        try
        {
            long bytes = 0;
            for (int i = 0; i < batch.Length; i++)
            {
                ref ReceivedFrame frame = ref batch[i];
                bytes += frame.Length;
                if (_link.Receive(ref frame, Now))
                {
                    // The continuation of who waits runs in here, its sends too.
                    ports.Deliver(ref frame);
                }
            }

            Counters.CountReceived(count, bytes);
            return count;
        }
        finally
        {
            // Replies first: somebody waits for them, while the device has descriptors left.
            _sender.Flush();
            _receiveRing.Release(batch);
        }
    }

    /// <summary>Makes a socket the owner of a frame's buffer, to be read later. False if too few buffers are left.</summary>
    internal bool TryTakeForSocket(ref ReceivedFrame frame) => _pool.FreeCount > _socketReserve && _receiveRing.TryTake(ref frame);

    /// <summary>The sockets of the reactor that polls this queue; null while none does. Any thread.</summary>
    internal UdpPortTable? Ports
    {
        get => Volatile.Read(ref _ports);
        set => Volatile.Write(ref _ports, value);
    }

    /// <summary>Counts a datagram for a port that has no socket here.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void CountWithoutSocket(ushort port) =>
        Counters.Count(Nic.IsBoundElsewhere(this, port) ? DropReason.UdpPortOnOtherQueue : DropReason.UdpPortUnreachable);

    /// <summary>Frees what the device has sent, for senders that wait.</summary>
    internal void ReclaimSent() => _transmitRing.Reclaim();
}
