using Arrakis.Contract;
using Arrakis.Native.Events;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Ports.Vf;

/// <summary>
/// The port of a virtual function: takes frames from the driver's transmit ring and puts frames into its receive
/// ring. A driver that breaks its rings, or takes its memory away, loses its own link. Polling thread only, but for
/// what says otherwise.
/// </summary>
internal sealed class VfPort
{
    /// <summary>Frames taken from a port before the next port has its turn.</summary>
    public const int BatchLength = 32;

    // Without mergeable buffers, num_buffers is 1 (virtio 1.2 §5.1.6.4.1); no offload, so all else is zero.
    private static readonly byte[] _receiveHeader = MakeReceiveHeader();

    // The frame under way. What the switch checks and forwards is this copy, which the driver cannot change.
    private readonly byte[] _frame = GC.AllocateArray<byte>(EthernetSwitch.MaxFrameLength, pinned: true);
    private readonly byte[] _header = GC.AllocateArray<byte>(VirtioNetHeader.Length, pinned: true);
    private readonly EventRaiser _raiser;
    private readonly EventFd _attention;

    private RunningRing? _receive;
    private RunningRing? _transmit;
    private TokenBucket _bucket;
    private bool _isLimited;
    private int _held; // bytes of the frame that waits for tokens; zero where none does
    private string? _fault;

    /// <param name="index">The virtual function.</param>
    /// <param name="raiser">Wakes drivers.</param>
    /// <param name="attention">Raised when the port has a fault.</param>
    public VfPort(int index, EventRaiser raiser, EventFd attention)
    {
        Index = index;
        _raiser = raiser;
        _attention = attention;
    }

    /// <summary>The virtual function.</summary>
    public int Index { get; }

    /// <summary>Counters; any thread may read them.</summary>
    public PortStatistics Statistics { get; } = new();

    /// <summary>What was granted; none where nothing is switched.</summary>
    public PortIdentity? Identity { get; private set; }

    /// <summary>Whether the driver's receive and transmit rings both run. Any thread.</summary>
    public bool IsLinkUp => Volatile.Read(ref _receive) is not null && Volatile.Read(ref _transmit) is not null;

    /// <summary>
    /// Nanoseconds until the port has something to do without a doorbell: until there are tokens for the frame that
    /// waits, none at all where the driver cannot ring, and <see cref="long.MaxValue"/> where only a doorbell helps.
    /// </summary>
    public long TimeUntilDue(long now) =>
        _held != 0 ? _bucket.TimeUntil(_held, now)
        : _transmit is { HasDoorbell: false } ? 0
        : long.MaxValue;

    /// <summary>Gives the port an identity, or takes it.</summary>
    public void Configure(PortIdentity? identity, RateSpecifier? rate, long now)
    {
        Identity = identity;
        _isLimited = rate is not null;
        _bucket = rate is null ? default : new TokenBucket(rate, now);
        _held = 0;
    }

    /// <summary>Starts or, with null, stops putting frames into the driver's receive ring.</summary>
    public void AttachReceive(RunningRing? ring)
    {
        _receive = ring;

        // The device never waits for receive buffers: a frame without one is dropped.
        ring?.Ring.RequestNotification(false);
    }

    /// <summary>Starts or, with null, stops taking frames from the driver's transmit ring.</summary>
    public void AttachTransmit(RunningRing? ring)
    {
        _transmit = ring;
        _held = 0;
        ring?.Ring.RequestNotification(false);
    }

    /// <summary>Takes a batch of frames from the driver to the switch. Whether there was any.</summary>
    /// <remarks>
    /// A frame over the rate stays in the ring (back-pressure: the driver sees its ring fill) rather than being
    /// dropped; its copy is held so that it is read once.
    /// </remarks>
    public bool Poll(EthernetSwitch network, Clock clock)
    {
        if (_transmit is not { } transmit || Identity is not { } identity)
        {
            return _receive is { Memory.IsFaulted: true } receive && Break(receive);
        }

        int taken = 0;
        while (taken < BatchLength)
        {
            if (_held == 0 && !TryHold(transmit, ref taken))
            {
                break;
            }

            if (_held != 0)
            {
                if (_isLimited && !_bucket.TryTake(_held, clock.Now))
                {
                    break;
                }

                network.FromFunction(this, identity, _frame.AsSpan(0, _held));
                transmit.Complete();
                _held = 0;
                taken++;
            }
        }

        // Truncated memory reads as zeros, which may look like a ring in which nothing comes.
        if (transmit.Ring.Fault != RingFault.None || transmit.Memory.IsFaulted)
        {
            return Break(transmit);
        }

        if (taken == 0)
        {
            // Memory that was taken away reads as zeros, like a ring in which nothing ever comes.
            if (transmit.Memory.IsFaulted)
            {
                Break(transmit);
            }

            return false;
        }

        network.MarkUnflushed(this);
        return true;
    }

    /// <summary>Puts a frame into the receive ring. Whether there is something to flush.</summary>
    public bool Deliver(ReadOnlySpan<byte> frame)
    {
        if (_receive is not { } receive)
        {
            Statistics.CountDrop(DropReason.LinkDown);
            return false;
        }

        switch (receive.TryWrite(_receiveHeader, frame))
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

    /// <summary>Shows the driver what was put and taken, and wakes it where it asked for that.</summary>
    public void Flush()
    {
        RunningRing? receive = _receive;
        RunningRing? transmit = _transmit;
        bool received = receive is not null && receive.Publish();
        bool taken = transmit is not null && transmit.Publish();
        if (!received && !taken)
        {
            return;
        }

        // One barrier for both rings: see DeviceRing.DriverWantsEvent.
        Interlocked.MemoryBarrier();
        if (received)
        {
            Wake(receive!);
            receive!.Ring.OwnNext();
        }

        if (taken)
        {
            Wake(transmit!);
        }

        if ((receive ?? transmit)!.Memory.IsFaulted)
        {
            _ = Break((receive ?? transmit)!);
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
        if (_transmit is not { } transmit || Identity is null || _held != 0)
        {
            return false;
        }

        transmit.Ring.RequestNotification(wanted);
        return transmit.Ring.HasAvailable;
    }

    private bool TryHold(RunningRing ring, ref int taken)
    {
        RingRead outcome = ring.TryRead(_header, _frame, out int length);
        if (outcome is RingRead.Empty or RingRead.Broken)
        {
            return false;
        }

        if (outcome == RingRead.Frame && length != 0)
        {
            _held = length;
            return true;
        }

        Statistics.CountDrop(outcome == RingRead.TooLong ? DropReason.FrameTooLong : DropReason.FrameTooShort);
        ring.Complete();
        taken++;
        return true;
    }

    private void Wake(RunningRing ring)
    {
        if (ring.Call is not null && ring.Ring.DriverWantsEvent)
        {
            _ = _raiser.Raise(ring.Call);
        }
    }

    // True, as something was done.
    private bool Break(RunningRing ring)
    {
        if (ring.Error is not null)
        {
            _ = _raiser.Raise(ring.Error);
        }

        _receive = null;
        _transmit = null;
        _held = 0;
        Volatile.Write(ref _fault, ring.Memory.IsFaulted ? "the memory was truncated" : $"the ring is broken: {ring.Ring.Fault}");
        _attention.Signal();
        return true;
    }

    private static byte[] MakeReceiveHeader()
    {
        byte[] header = GC.AllocateArray<byte>(VirtioNetHeader.Length, pinned: true);
        header[VirtioNetHeader.BufferCountOffset] = 1;
        return header;
    }
}
