using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Udp;

namespace Arrakis;

/// <content>The native API: packet buffers straight from the rings.</content>
public sealed partial class NicQueue
{
    // Polls between looks at what the device has sent, where there is nothing else to do, and at the clock, whatever there is
    // to do: neighbours are asked again under load too. A look at the transmit ring's used index takes a cache line from the
    // device, so not at each poll; but soon, so that the same buffers go round.
    private const int PollsPerReclaim = 16;
    private const int PollsPerClock = 64;
    private const long TickInterval = 100_000_000; // Nanoseconds.

    private long _nextTick;
    private uint _polls;

    /// <summary>Polls the rings on the calling thread until cancelled, and hands received datagrams to the handler.</summary>
    /// <param name="options">Core and idle policy.</param>
    /// <param name="handler">Called once a batch.</param>
    /// <param name="cancellation">Ends the polling; the method then returns.</param>
    /// <exception cref="Contract.BindingRevokedException">The control plane has taken the binding.</exception>
    /// <exception cref="RingCorruptException">The device has broken the rings.</exception>
    /// <exception cref="ObjectDisposedException">The binding was disposed.</exception>
    /// <exception cref="InvalidOperationException">Another thread or a reactor polls.</exception>
    public void Poll(PollOptions options, PacketHandler handler, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(handler);
        using var waiter = new IdleWaiter([this], options.Idle);
        using CorePlacement placement = CorePlacement.Enter(options.Core);
        using CancellationTokenRegistration registration = cancellation.UnsafeRegister(static state => ((IdleWaiter)state!).Wake(), waiter);
        Claim();
        Waiter = waiter;
        try
        {
            while (!cancellation.IsCancellationRequested)
            {
                if (PollRings(handler) != 0)
                {
                    waiter.Reset();
                }
                else if (waiter.ShouldSleep())
                {
                    waiter.Sleep(IdleWaiter.MaxSleep, waitForRoom: false);
                }
            }
        }
        finally
        {
            Waiter = null;
            Unclaim();
        }
    }

    /// <summary>Polls the rings on the calling thread, kept on a core, until cancelled.</summary>
    public void Poll(int core, PacketHandler handler, CancellationToken cancellation = default) =>
        Poll(new PollOptions { Core = core }, handler, cancellation);

    /// <summary>Looks at the rings once, for a loop of one's own. Returns the frames received.</summary>
    /// <param name="handler">Called if there are datagrams among them.</param>
    /// <exception cref="Contract.BindingRevokedException">The control plane has taken the binding.</exception>
    /// <exception cref="RingCorruptException">The device has broken the rings.</exception>
    /// <exception cref="ObjectDisposedException">The binding was disposed.</exception>
    /// <exception cref="InvalidOperationException">Another thread or a reactor polls, or the handler itself does.</exception>
    public int PollOnce(PacketHandler handler)
    {
        if (IsClaimed)
        {
            ThrowPolledAlready();
        }

        return PollRings(handler);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int PollRings(PacketHandler handler)
    {
        Enter();
        try
        {
            CheckStatus();
            if ((++_polls & (PollsPerClock - 1)) == 0)
            {
                UpdateClock();
            }

            int count = _receiveRing.Receive(_batch);
            if (count == 0)
            {
                if ((_polls & (PollsPerReclaim - 1)) == 0 && _transmitRing.HasOutstanding)
                {
                    _ = _transmitRing.Reclaim();
                }

                return 0;
            }

            HandleBatch(handler, count);
            return count;
        }
        catch (RingCorruptException e)
        {
            throw Explain(e);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Buffers' bytes, for packets.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Span<byte> Bytes(PacketBuffer buffer, int offset, int length) => _pool.Bytes(buffer, offset, length);

    /// <summary>Makes the checksum of a frame of the present batch whole where that was left to the device: somebody looks at it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CompleteChecksum(int index)
    {
        ref ReceivedFrame frame = ref _batch[index];
        if ((frame.Offload & ReceiveOffload.ChecksumPartial) != 0)
        {
            _udp.CompleteChecksum(ref frame);
        }
    }

    /// <summary>A frame of the present batch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref readonly ReceivedFrame Received(int index) => ref _batch[index];

    /// <summary>The longest payload that a reply in a received frame may have.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int MaxReply(ref readonly ReceivedFrame frame) =>
        Math.Min(_udp.MaxPayload, _pool.BufferSize - BufferLayout.FrameOffset - frame.PayloadOffset);

    /// <summary>Turns a received frame round.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int WriteReply(PacketBuffer buffer, int index, int payloadLength)
    {
        ref ReceivedFrame frame = ref _batch[index];

        // The frame's own handle is not the packet's once that was posted: the packet's is the one to check.
        _ = _pool.Bytes(buffer, 0, 0);
        return _udp.WriteReply(ref frame, payloadLength);
    }

    /// <summary>Posts a packet of the present batch, or a rented one.</summary>
    internal bool Post(in Packet packet)
    {
        if (packet.Index == Packet.Rented)
        {
            return _sender.TrySend(packet.Buffer, packet.Length);
        }

        _ = _pool.Bytes(packet.Buffer, 0, 0);
        ref ReceivedFrame frame = ref _batch[packet.Index];
        int partialChecksumAt = (frame.Offload & ReceiveOffload.ChecksumPartial) == 0 ? 0 : _udp.FinishChecksum(ref frame, packet.Offset, packet.Length);
        return _sender.TryReply(ref frame, packet.Offset, packet.Length, partialChecksumAt);
    }

    /// <summary>Takes a free buffer.</summary>
    internal bool TryRent(out PacketBuffer buffer) => _sender.TryRent(out buffer);

    /// <summary>Gives a rented packet back; one of the batch goes back by itself.</summary>
    internal void Return(in Packet packet)
    {
        if (packet.Index == Packet.Rented)
        {
            _sender.Return(packet.Buffer);
        }
    }

    /// <summary>Sends a copy of a payload.</summary>
    internal bool TrySend(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload) =>
        _udp.Send(sourcePort, destination, payload, allowBroadcast: false, Now) == SendOutcome.Sent;

    /// <summary>Sends a copy of a payload as several datagrams, all or none.</summary>
    internal bool TrySendSegments(ushort sourcePort, UdpEndPoint destination, ReadOnlySpan<byte> payload, int segmentSize) =>
        _udp.SendAllSegments(sourcePort, destination, payload, segmentSize, Now) == SendOutcome.Sent;

    /// <summary>Asks the device for events. False where there is something to do already.</summary>
    /// <param name="forRoom">Whether sent frames are waited for too.</param>
    internal override bool TryArmEvents(bool forRoom)
    {
        CheckStatus();
        _sender.Flush();
        if (_arp.HasNews || !_receiveRing.TryArmEvents())
        {
            return false;
        }

        if (!forRoom || _transmitRing.TryArmEvents())
        {
            return true;
        }

        _receiveRing.DisarmEvents();
        return false;
    }

    /// <summary>Polls again.</summary>
    internal override void DisarmEvents()
    {
        _receiveRing.DisarmEvents();
        _transmitRing.DisarmEvents();
    }

    /// <summary>Reads the clock, and does what has to be done now and then.</summary>
    /// <exception cref="Contract.BindingRevokedException">The control plane has taken the device's registers.</exception>
    internal void UpdateClock()
    {
        CheckRegisters(); // The status page tells sooner.
        if (ReadClock() >= _nextTick)
        {
            _nextTick = Now + TickInterval;
            _arp.Tick(Now);
            _sender.Flush();
        }

        if (_arp.HasNews)
        {
            _arp.TakeNews(Now);
            _sender.Flush();
        }
    }

    private void HandleBatch(PacketHandler handler, int count)
    {
        Span<ReceivedFrame> batch = _batch.AsSpan(0, count);
        try
        {
            int datagrams = Classify(batch);
            if (datagrams != 0)
            {
                handler(new PacketBatch(this, batch, datagrams), new TransmitQueue(this));
            }
        }
        finally
        {
            // Replies first: somebody waits for them, while the device has descriptors left.
            _sender.Flush();
            _receiveRing.Release(batch);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Classify(Span<ReceivedFrame> batch)
    {
        int datagrams = 0;
        long bytes = 0;
        for (int i = 0; i < batch.Length; i++)
        {
            ref ReceivedFrame frame = ref batch[i];
            bytes += frame.Length;
            if (_link.Receive(ref frame, Now))
            {
                datagrams++;
            }
        }

        Counters.CountReceived(batch.Length, bytes);
        Counters.CountDelivered(datagrams);
        return datagrams;
    }
}
