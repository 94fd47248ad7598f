using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Native.Events;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Ports.Vf;

/// <summary>
/// The port of a virtual function: takes frames from the driver's transmit rings and puts frames into its receive
/// rings. A driver that breaks its rings, or takes its memory away, loses its own link. Polling thread only, but for
/// what says otherwise.
/// </summary>
internal sealed class VfPort
{
    /// <summary>Frames taken from a port before the next port has its turn.</summary>
    public const int BatchLength = 32;

    /// <summary>Pairs of rings that a driver may have: a receive and a transmit ring each.</summary>
    public const int MaxQueuePairs = ControlProtocol.MaxQueuePairs;

    // One buffer (virtio 1.2 §5.1.6.4.1), and nothing to be done: that of most frames.
    private static readonly byte[] _plainHeader = MakeHeader(0);
    private static readonly byte[] _validHeader = MakeHeader(VirtioNetHeader.DataValid);

    // The frame under way. What the switch checks and forwards is this copy, which the driver cannot change.
    private readonly byte[] _frame = GC.AllocateArray<byte>(EthernetSwitch.MaxLargeFrameLength, pinned: true);
    private readonly byte[] _header = GC.AllocateArray<byte>(VirtioNetHeader.Length, pinned: true);
    private readonly byte[] _offloadHeader = GC.AllocateArray<byte>(VirtioNetHeader.Length, pinned: true);
    private readonly RunningRing?[] _receivePairs = new RunningRing?[MaxQueuePairs];
    private readonly RunningRing?[] _transmitPairs = new RunningRing?[MaxQueuePairs];
    private readonly FlowTable _flows = new();
    private readonly FrameCompletion _completion;
    private readonly EventRaiser _raiser;
    private readonly EventFd _attention;

    // Those of the pairs that run, without gaps.
    private RunningRing[] _receives = [];
    private RunningRing[] _transmits = [];
    private int _turn; // the transmit ring whose turn it is, or which the frame that waits is from
    private TokenBucket _bucket;
    private bool _isLimited;
    private int _held; // bytes of the frame that waits for tokens; zero where none does
    private FrameOffload _heldOffload;
    private int _maxFrameLength = EthernetSwitch.MaxFrameLength;
    private volatile bool _isLinkUp;
    private string? _fault;

    /// <param name="index">The virtual function.</param>
    /// <param name="completion">For frames that the driver cannot take as they are.</param>
    /// <param name="raiser">Wakes drivers.</param>
    /// <param name="attention">Raised when the port has a fault.</param>
    public VfPort(int index, FrameCompletion completion, EventRaiser raiser, EventFd attention)
    {
        Index = index;
        _completion = completion;
        _raiser = raiser;
        _attention = attention;
    }

    /// <summary>The virtual function.</summary>
    public int Index { get; }

    /// <summary>Counters; any thread may read them.</summary>
    public PortStatistics Statistics { get; } = new();

    /// <summary>What was granted; none where nothing is switched.</summary>
    public PortIdentity? Identity { get; private set; }

    /// <summary>Whether the driver's first receive and transmit rings both run. Any thread.</summary>
    public bool IsLinkUp => _isLinkUp;

    /// <summary>
    /// Nanoseconds until the port has something to do without a doorbell: until there are tokens for the frame that
    /// waits, none at all where the driver cannot ring, and <see cref="long.MaxValue"/> where only a doorbell helps.
    /// </summary>
    public long TimeUntilDue(long now) =>
        _held != 0 ? _bucket.TimeUntil(_held, now)
        : Array.Exists(_transmits, static ring => !ring.HasDoorbell) ? 0
        : long.MaxValue;

    /// <summary>Gives the port an identity, or takes it.</summary>
    public void Configure(PortIdentity? identity, RateSpecifier? rate, long now)
    {
        Identity = identity;
        _isLimited = rate is not null;
        _bucket = rate is null ? default : new TokenBucket(rate, now);
        _held = 0;
    }

    /// <summary>Sets the largest IP packet that the driver sends or gets in one frame; what is still to be cut may be longer.</summary>
    public void SetMtu(int mtu) => _maxFrameLength = EthernetView.HeaderLength + mtu;

    /// <summary>Starts or, with null, stops putting frames into a receive ring of the driver.</summary>
    public void AttachReceive(int pair, RunningRing? ring)
    {
        _receivePairs[pair] = ring;
        UpdateRings();

        // The device never waits for receive buffers: a frame without one is dropped.
        ring?.Ring.RequestNotification(false);
    }

    /// <summary>Starts or, with null, stops taking frames from a transmit ring of the driver.</summary>
    public void AttachTransmit(int pair, RunningRing? ring)
    {
        _transmitPairs[pair] = ring;
        UpdateRings();
        ring?.Ring.RequestNotification(false);
    }

    /// <summary>Takes a batch of frames from the driver to the switch. Whether there was any.</summary>
    /// <remarks>
    /// A frame over the rate stays in its ring (back-pressure: the driver sees its ring fill) rather than being
    /// dropped; its copy is held so that it is read once. Rings have turns, of a batch at most.
    /// </remarks>
    public bool Poll(EthernetSwitch network, Clock clock)
    {
        RunningRing[] transmits = _transmits;
        if (Identity is not { } identity || transmits.Length == 0)
        {
            return transmits.Length == 0 && _receives.Length != 0 && _receives[0].Memory.IsFaulted && Break(_receives[0]);
        }

        int taken = 0;
        int turn = _turn;
        for (int left = transmits.Length; left > 0 && taken < BatchLength; left--)
        {
            RunningRing ring = transmits[turn];
            while (taken < BatchLength)
            {
                if (_held == 0 && !TryHold(ring, ref taken))
                {
                    break;
                }

                if (_held != 0)
                {
                    if (_isLimited && !_bucket.TryTake(_held, clock.Now))
                    {
                        break;
                    }

                    network.FromFunction(this, identity, _frame.AsSpan(0, _held), _heldOffload);
                    ring.Complete();
                    _held = 0;
                    taken++;
                }
            }

            if (ring.Ring.Fault != RingFault.None)
            {
                return Break(ring);
            }

            if (_held != 0)
            {
                break;
            }

            turn = turn + 1 == transmits.Length ? 0 : turn + 1;
        }

        _turn = turn;

        // Truncated memory reads as zeros, which may look like a ring in which nothing comes.
        if (transmits[0].Memory.IsFaulted)
        {
            return Break(transmits[0]);
        }

        if (taken == 0)
        {
            return false;
        }

        network.MarkUnflushed(this);
        return true;
    }

    /// <summary>Puts a frame into a receive ring. Whether there is something to flush.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Deliver(ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        RunningRing[] receives = _receives;
        if (receives.Length == 0)
        {
            Statistics.CountDrop(DropReason.LinkDown);
            return false;
        }

        RunningRing receive = receives.Length == 1 ? receives[0] : receives[_flows.QueueOf(frame)];
        return offload.IsNone ? DeliverComplete(receive, frame) : DeliverUnfinished(receive, frame, offload);
    }

    /// <summary>Shows the driver what was put and taken, and wakes it where it asked for that.</summary>
    public void Flush()
    {
        RunningRing[] receives = _receives;
        RunningRing[] transmits = _transmits;
        bool any = false;
        foreach (RunningRing ring in receives)
        {
            any |= ring.PublishAndNote();
        }

        foreach (RunningRing ring in transmits)
        {
            any |= ring.PublishAndNote();
        }

        if (!any)
        {
            return;
        }

        // One barrier for all rings: see DeviceRing.DriverWantsEvent.
        Interlocked.MemoryBarrier();
        foreach (RunningRing ring in receives)
        {
            if (ring.HasPublished)
            {
                Wake(ring);
                ring.OwnNext();
            }
        }

        foreach (RunningRing ring in transmits)
        {
            if (ring.HasPublished)
            {
                Wake(ring);
            }
        }

        RunningRing first = receives.Length != 0 ? receives[0] : transmits[0];
        if (first.Memory.IsFaulted)
        {
            _ = Break(first);
        }
    }

    /// <summary>Takes the reason why the port has let go of its rings; null where it has not. Any thread.</summary>
    public string? TakeFault() => Interlocked.Exchange(ref _fault, null);

    /// <summary>
    /// Asks the driver to ring, or not to; whether it has already made something available. While a frame waits for
    /// tokens, what comes after it is of no interest.
    /// </summary>
    public bool RequestDoorbell(bool wanted)
    {
        if (Identity is null || _held != 0)
        {
            return false;
        }

        bool available = false;
        foreach (RunningRing ring in _transmits)
        {
            ring.Ring.RequestNotification(wanted);
            available |= ring.Ring.HasAvailable;
        }

        return available;
    }

    private bool TryHold(RunningRing ring, ref int taken)
    {
        RingRead outcome = ring.TryRead(_header, _frame.AsSpan(0, ring.MaxReadLength), out int length);
        if (outcome is RingRead.Empty or RingRead.Broken)
        {
            return false;
        }

        DropReason reason = outcome switch
        {
            RingRead.TooLong => DropReason.FrameTooLong,
            RingRead.TooShort => DropReason.FrameTooShort,
            _ => length == 0 ? DropReason.FrameTooShort : CheckOffload(ring, length),
        };
        if (reason == DropReason.None)
        {
            _held = length;
            return true;
        }

        Statistics.CountDrop(reason);
        ring.Complete();
        taken++;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private DropReason CheckOffload(RunningRing ring, int length)
    {
        if (FrameOffload.AsksForNothing(_header))
        {
            _heldOffload = FrameOffload.None;
            return length <= _maxFrameLength ? DropReason.None : DropReason.FrameTooLong;
        }

        return !FrameOffload.TryRead(_header, _frame.AsSpan(0, length), ring.Features, _maxFrameLength, out _heldOffload) ? DropReason.OffloadInvalid
            : _heldOffload.Segments == SegmentKind.None && length > _maxFrameLength ? DropReason.FrameTooLong
            : DropReason.None;
    }

    private bool DeliverComplete(RunningRing receive, ReadOnlySpan<byte> frame)
    {
        if (frame.Length > _maxFrameLength)
        {
            Statistics.CountDrop(DropReason.FrameTooLong);
            return false;
        }

        bool isValid = receive.WantsChecksums && TransportHeader.TryFind(frame, out TransportHeader transport) && transport.IsChecksumRight(frame);
        return Put(receive, isValid ? _validHeader : _plainHeader, frame);
    }

    // As it is to a driver that can take it so; otherwise as the complete frames that it stands for.
    private bool DeliverUnfinished(RunningRing receive, ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        VirtioFeatures needed = offload.GuestFeatures;
        if ((receive.Features & needed) == needed)
        {
            int segment = offload.Segments == SegmentKind.None ? frame.Length : offload.HeaderLength + offload.SegmentSize;
            if (Math.Min(segment, frame.Length) > _maxFrameLength)
            {
                Statistics.CountDrop(DropReason.FrameTooLong);
                return false;
            }

            offload.Write(_offloadHeader);
            return Put(receive, _offloadHeader, frame);
        }

        bool isAny = false;
        int done = 0;
        while (_receives.Length != 0 && _completion.TryNext(frame, offload, ref done, out ReadOnlySpan<byte> complete))
        {
            isAny |= DeliverComplete(receive, complete);
        }

        return isAny;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Put(RunningRing receive, byte[] header, ReadOnlySpan<byte> frame)
    {
        switch (receive.TryWrite(header, frame))
        {
            case RingWrite.Done:
                Statistics.CountOut(frame.Length);
                return true;
            case RingWrite.Full:
                Statistics.CountDrop(DropReason.ReceiveRingFull);
                return false;
            case RingWrite.TooSmall:
                Statistics.CountDrop(DropReason.ReceiveBufferTooSmall);
                return false;
            default:
                Statistics.CountDrop(DropReason.LinkDown);
                _ = Break(receive);
                return false;
        }
    }

    private void Wake(RunningRing ring)
    {
        if (ring.Call is not null && ring.Ring.DriverWantsEvent)
        {
            _ = _raiser.Raise(ring.Call);
        }
    }

    private void UpdateRings()
    {
        _receives = [.. _receivePairs.OfType<RunningRing>()];
        _transmits = [.. _transmitPairs.OfType<RunningRing>()];
        _flows.Share(_receives.Length);
        _isLinkUp = _receivePairs[0] is not null && _transmitPairs[0] is not null;
        _turn = 0;
        _held = 0;
    }

    // True, as something was done.
    private bool Break(RunningRing ring)
    {
        if (ring.Error is not null)
        {
            _ = _raiser.Raise(ring.Error);
        }

        Array.Clear(_receivePairs);
        Array.Clear(_transmitPairs);
        UpdateRings();
        Volatile.Write(ref _fault, ring.Memory.IsFaulted ? "the memory was truncated" : $"the ring is broken: {ring.Ring.Fault}");
        _attention.Signal();
        return true;
    }

    private static byte[] MakeHeader(byte flags)
    {
        byte[] header = GC.AllocateArray<byte>(VirtioNetHeader.Length, pinned: true);
        header[VirtioNetHeader.FlagsOffset] = flags;
        header[VirtioNetHeader.BufferCountOffset] = 1;
        return header;
    }
}
