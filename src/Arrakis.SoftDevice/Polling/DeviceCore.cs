using Arrakis.Native.Events;
using Arrakis.SoftDevice.Blocks;
using Arrakis.SoftDevice.Ports.Tester;
using Arrakis.SoftDevice.Ports.Uplink;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Switch;

namespace Arrakis.SoftDevice.Polling;

/// <summary>All ports and the switch between them, and one round of polling. Neither threads nor sockets.</summary>
internal sealed class DeviceCore : IDisposable
{
    private readonly EventRaiser _raiser = new();
    private readonly FrameCompletion _completion = new();
    private readonly DiskQueue? _disk;
    private int _first; // whose turn comes first: a place in Switch.Granted, or after them the uplink

    /// <param name="functions">Number of virtual functions.</param>
    /// <param name="clock">Time of rates and tests.</param>
    /// <param name="medium">What block functions are a part of; none where there are none. Not owned.</param>
    /// <param name="blockFunctions">Number of block functions.</param>
    public DeviceCore(int functions, Clock clock, BlockMedium? medium = null, int blockFunctions = 0)
    {
        Clock = clock;
        Functions = [.. Enumerable.Range(0, functions).Select(index => new VfPort(index, _completion, _raiser, Attention))];
        Tester = new TesterPort(clock, Attention);
        Uplink = new UplinkPort(_completion);
        Blocks = [.. Enumerable.Range(0, blockFunctions).Select(index => new BlockPort(index, medium!, _raiser, Attention))];
        _disk = medium?.Disk;
        Switch = new EthernetSwitch(Functions, Uplink, Tester, _completion);
    }

    /// <summary>Time of rates and tests.</summary>
    public Clock Clock { get; }

    /// <summary>Raised by the polling thread when a port broke or a test ended.</summary>
    public EventFd Attention { get; } = new();

    /// <summary>The ports of the virtual functions.</summary>
    public VfPort[] Functions { get; }

    /// <summary>The block functions.</summary>
    public BlockPort[] Blocks { get; }

    /// <summary>The port to the kernel.</summary>
    public UplinkPort Uplink { get; }

    /// <summary>The traffic generator.</summary>
    public TesterPort Tester { get; }

    /// <summary>What connects them.</summary>
    public EthernetSwitch Switch { get; }

    /// <summary>Gives each port its turn. Whether any had something to do.</summary>
    /// <remarks>
    /// Who comes first finds room in a receiver's ring, who comes last may not. So the next round starts after the port
    /// that was first this time: among ports that all have something, each is first equally often.
    /// </remarks>
    public bool PollOnce()
    {
        bool busy = false;
        ReadOnlySpan<VfPort> granted = Switch.Granted;
        int turn = Math.Min(_first, granted.Length);
        for (int left = granted.Length; left >= 0; left--)
        {
            bool worked = turn < granted.Length ? granted[turn].Poll(Switch, Clock) : Uplink.IsReady && Uplink.Poll(Switch);
            turn = turn == granted.Length ? 0 : turn + 1;
            if (worked && !busy)
            {
                busy = true;
                _first = turn;
            }
        }

        if (Tester.IsRunning)
        {
            busy |= Tester.Poll(Switch);
        }

        Switch.Flush();
        return PollBlocks() || busy;
    }

    /// <summary>
    /// Nanoseconds until something is due without a doorbell, such as a frame that waits for tokens;
    /// <see cref="long.MaxValue"/> where nothing is.
    /// </summary>
    public long TimeUntilDue()
    {
        if (Tester.IsRunning || _disk is { IsBusy: true })
        {
            return 0;
        }

        long now = Clock.Now;
        long due = long.MaxValue;
        foreach (VfPort port in Switch.Granted)
        {
            due = Math.Min(due, port.TimeUntilDue(now));
        }

        foreach (BlockPort port in Blocks)
        {
            due = Math.Min(due, port.TimeUntilDue);
        }

        return due;
    }

    /// <summary>Asks all drivers to ring, or not to; whether one has made something available already.</summary>
    public bool RequestDoorbells(bool wanted)
    {
        bool available = false;
        foreach (VfPort port in Switch.Granted)
        {
            available |= port.RequestDoorbell(wanted);
        }

        foreach (BlockPort port in Blocks)
        {
            available |= port.RequestDoorbell(wanted);
        }

        return available;
    }

    private bool PollBlocks()
    {
        BlockPort[] ports = Blocks;
        if (ports.Length == 0)
        {
            return false;
        }

        bool busy = _disk is not null && _disk.Poll();
        foreach (BlockPort port in ports)
        {
            busy |= port.Poll();
        }

        _disk?.Submit();
        if (busy)
        {
            foreach (BlockPort port in ports)
            {
                port.Flush();
            }
        }

        return busy;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (BlockPort port in Blocks)
        {
            port.Dispose();
        }

        _raiser.Dispose();
        Attention.Dispose();
    }
}
