using Arrakis.Native.Net;
using Arrakis.SoftDevice.Switch;

namespace Arrakis.SoftDevice.Ports.Uplink;

/// <summary>
/// The port to the kernel: a TAP interface. A look at it costs a system call, so it is looked at only after the
/// <see cref="UplinkWatcher"/> has seen a frame there. Polling thread only, but for what says otherwise.
/// </summary>
internal sealed class UplinkPort
{
    private const int BatchLength = 32;

    private readonly byte[] _frame = GC.AllocateArray<byte>(EthernetSwitch.MaxFrameLength + 1, pinned: true);
    private TapWire? _wire;
    private UplinkWatcher? _watcher;

    /// <summary>Counters; any thread may read them.</summary>
    public PortStatistics Statistics { get; } = new();

    /// <summary>Whether the kernel has sent something.</summary>
    public bool IsReady => _watcher is { IsReady: true };

    /// <summary>Connects the port; the watcher watches the wire.</summary>
    public void Attach(TapWire? wire, UplinkWatcher? watcher)
    {
        _wire = wire;
        _watcher = watcher;
    }

    /// <summary>Takes a batch of frames from the kernel to the switch. Whether there was any.</summary>
    public bool Poll(EthernetSwitch network)
    {
        for (int taken = 0; taken < BatchLength; taken++)
        {
            if (!_wire!.TryRead(_frame, out int length))
            {
                if (_wire.IsGone)
                {
                    Attach(null, null);
                }
                else
                {
                    _watcher!.Rearm();
                }

                return taken != 0;
            }

            if (length > EthernetSwitch.MaxFrameLength)
            {
                Statistics.CountDrop(DropReason.FrameTooLong);
            }
            else
            {
                network.FromUplink(_frame.AsSpan(0, length));
            }
        }

        return true;
    }

    /// <summary>Gives the kernel a frame.</summary>
    public void Deliver(ReadOnlySpan<byte> frame)
    {
        if (_wire is null)
        {
            Statistics.CountDrop(DropReason.LinkDown);
        }
        else if (_wire.TryWrite(frame))
        {
            Statistics.CountOut(frame.Length);
        }
        else
        {
            Statistics.CountDrop(DropReason.UplinkRefused);
        }
    }
}
