using Arrakis.Native.Net;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Ports.Uplink;

/// <summary>
/// The port to the kernel: a TAP interface. A look at it costs a system call, so it is looked at only after the
/// <see cref="UplinkWatcher"/> has seen a frame there. Polling thread only, but for what says otherwise.
/// </summary>
/// <remarks>Where the interface has virtio-net headers, checksums and cutting are left to whoever gets a frame in the end.</remarks>
internal sealed class UplinkPort(FrameCompletion completion)
{
    private const int BatchLength = 32;

    // What the kernel may leave to this device, as a driver would that has negotiated it.
    private const VirtioFeatures KernelFeatures =
        VirtioFeatures.NetChecksum | VirtioFeatures.NetHostTso4 | VirtioFeatures.NetHostTso6 | VirtioFeatures.NetHostUso;

    private readonly byte[] _frame = GC.AllocateArray<byte>(VirtioNetHeader.Length + EthernetSwitch.MaxLargeFrameLength + 1, pinned: true);
    private readonly byte[] _header = GC.AllocateArray<byte>(VirtioNetHeader.Length, pinned: true);
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

            int headerLength = _wire.HeaderLength;
            if (length < headerLength)
            {
                Statistics.CountDrop(DropReason.FrameTooShort);
            }
            else
            {
                Take(network, _frame.AsSpan(0, headerLength), _frame.AsSpan(headerLength, length - headerLength));
            }
        }

        return true;
    }

    /// <summary>Gives the kernel a frame.</summary>
    public void Deliver(ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        if (_wire is not { } wire)
        {
            Statistics.CountDrop(DropReason.LinkDown);
            return;
        }

        bool isDatagrams = offload.Segments is SegmentKind.Udp4 or SegmentKind.Udp6;
        if (offload.IsNone || (wire.HeaderLength != 0 && (!isDatagrams || wire.TakesDatagrams)))
        {
            offload.Write(_header);
            Write(wire, frame);
            return;
        }

        FrameOffload.None.Write(_header);
        int done = 0;
        while (completion.TryNext(frame, offload, ref done, out ReadOnlySpan<byte> complete))
        {
            Write(wire, complete);
        }
    }

    private void Take(EthernetSwitch network, ReadOnlySpan<byte> header, Span<byte> frame)
    {
        FrameOffload offload = FrameOffload.None;
        if (header.Length != 0 && !FrameOffload.AsksForNothing(header)
            && !FrameOffload.TryRead(header, frame, KernelFeatures, EthernetSwitch.MaxFrameLength, out offload)
            && !FrameCompletion.TryFillChecksum(header, frame))
        {
            Statistics.CountDrop(DropReason.OffloadInvalid);
        }
        else if (frame.Length > (offload.Segments == SegmentKind.None ? EthernetSwitch.MaxFrameLength : EthernetSwitch.MaxLargeFrameLength))
        {
            Statistics.CountDrop(DropReason.FrameTooLong);
        }
        else
        {
            network.FromUplink(frame, offload);
        }
    }

    private void Write(TapWire wire, ReadOnlySpan<byte> frame)
    {
        if (wire.TryWrite(_header.AsSpan(0, wire.HeaderLength), frame))
        {
            Statistics.CountOut(frame.Length);
        }
        else
        {
            Statistics.CountDrop(DropReason.UplinkRefused);
        }
    }
}
