using System.Numerics;
using Arrakis.SoftDevice.Ports.Tester;
using Arrakis.SoftDevice.Ports.Uplink;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.Wire.Frames;

namespace Arrakis.SoftDevice.Switch;

/// <summary>
/// A layer 2 switch that learns nothing: it knows the addresses that were granted, and all else is behind the uplink.
/// Frames come in private memory of the port that took them, so what is checked is what is forwarded.
/// Polling thread only.
/// </summary>
internal sealed class EthernetSwitch
{
    /// <summary>The largest IP packet in a frame.</summary>
    public const int MaxMtu = 1500;

    /// <summary>The longest frame.</summary>
    public const int MaxFrameLength = EthernetView.HeaderLength + MaxMtu;

    /// <summary>The longest frame that is still to be cut: the largest IP packet that there is.</summary>
    public const int MaxLargeFrameLength = EthernetView.HeaderLength + ushort.MaxValue;

    /// <summary>The most virtual functions: one bit each in a word.</summary>
    public const int MaxFunctions = 64;

    private readonly VfPort[] _functions;
    private readonly UplinkPort _uplink;
    private readonly TesterPort _tester;
    private readonly FrameCompletion _completion;
    private VfPort[] _granted = [];
    private ulong _unflushed; // functions that have frames to publish, a bit each

    public EthernetSwitch(VfPort[] functions, UplinkPort uplink, TesterPort tester, FrameCompletion completion)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(functions.Length, MaxFunctions);
        _functions = functions;
        _uplink = uplink;
        _tester = tester;
        _completion = completion;
    }

    /// <summary>The functions that have an identity; nothing is switched from or to any other.</summary>
    public ReadOnlySpan<VfPort> Granted => _granted;

    /// <summary>To be called when a function was given an identity, or lost it.</summary>
    public void UpdateGranted() => _granted = [.. _functions.Where(port => port.Identity is not null)];

    /// <summary>Takes a frame from a virtual function that has an identity.</summary>
    public void FromFunction(VfPort source, PortIdentity identity, ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        source.Statistics.CountIn(frame.Length);
        DropReason reason = FrameHeader.TryRead(frame, out FrameHeader header);
        if (reason == DropReason.None)
        {
            reason = identity.CheckSend(header);
        }

        if (reason == DropReason.None)
        {
            reason = Forward(source, fromUplink: false, fromTester: false, header, frame, offload);
        }

        if (reason != DropReason.None)
        {
            source.Statistics.CountDrop(reason);
        }
    }

    /// <summary>Takes a frame from the kernel.</summary>
    public void FromUplink(ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        _uplink.Statistics.CountIn(frame.Length);
        DropReason reason = CheckOutside(frame, out FrameHeader header);
        if (reason == DropReason.None)
        {
            reason = _tester.CheckClaim(header);
        }

        if (reason == DropReason.None)
        {
            reason = Forward(null, fromUplink: true, fromTester: false, header, frame, offload);
        }

        if (reason != DropReason.None)
        {
            _uplink.Statistics.CountDrop(reason);
        }
    }

    /// <summary>Takes a frame from the tester.</summary>
    public void FromTester(ReadOnlySpan<byte> frame)
    {
        _tester.Statistics.CountIn(frame.Length);
        DropReason reason = CheckOutside(frame, out FrameHeader header);
        if (reason == DropReason.None)
        {
            reason = Forward(null, fromUplink: false, fromTester: true, header, frame, FrameOffload.None);
        }

        if (reason != DropReason.None)
        {
            _tester.Statistics.CountDrop(reason);
        }
    }

    /// <summary>Shows the functions' drivers what came for them, and gives back what was taken from them.</summary>
    public void Flush()
    {
        ulong unflushed = _unflushed;
        _unflushed = 0;
        while (unflushed != 0)
        {
            _functions[BitOperations.TrailingZeroCount(unflushed)].Flush();
            unflushed &= unflushed - 1;
        }
    }

    /// <summary>A function's rings have something to publish.</summary>
    public void MarkUnflushed(VfPort port) => _unflushed |= 1UL << port.Index;

    // Nobody outside may speak for a virtual function: neither the kernel nor the tester.
    private DropReason CheckOutside(ReadOnlySpan<byte> frame, out FrameHeader header)
    {
        DropReason reason = FrameHeader.TryRead(frame, out header);
        if (reason != DropReason.None)
        {
            return reason;
        }

        foreach (VfPort port in _granted)
        {
            reason = port.Identity!.CheckClaim(header);
            if (reason != DropReason.None)
            {
                return reason;
            }
        }

        return DropReason.None;
    }

    private DropReason Forward(VfPort? source, bool fromUplink, bool fromTester, in FrameHeader header, ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        if (header.Destination.IsMulticast)
        {
            if (header.Type != EtherType.Arp || header.ArpOperation != ArpOperation.Request || !TrySteer(source, fromTester, header, frame, offload))
            {
                Flood(source, fromUplink, fromTester, header, frame, offload);
            }

            return DropReason.None;
        }

        foreach (VfPort port in _granted)
        {
            if (port.Identity!.Mac == header.Destination)
            {
                if (port == source)
                {
                    return DropReason.NoDestination;
                }

                ToFunction(port, header, frame, offload);
                return DropReason.None;
            }
        }

        if (!fromTester && header.Destination == TesterPort.Mac)
        {
            ToTester(header, frame, offload);
            return DropReason.None;
        }

        if (fromUplink)
        {
            return DropReason.NoDestination;
        }

        _uplink.Deliver(frame, offload);
        return DropReason.None;
    }

    // Who has a granted address is known, so the question goes to its owner alone: the kernel cannot answer in its place.
    private bool TrySteer(VfPort? source, bool fromTester, in FrameHeader header, ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        foreach (VfPort port in _granted)
        {
            if (port.Identity!.Address == header.Target)
            {
                // A function that asks for its own address announces it (RFC 5227 §3): that is for all.
                if (port == source)
                {
                    return false;
                }

                ToFunction(port, header, frame, offload);
                return true;
            }
        }

        if (!fromTester && _tester.IsAddress(header.Target))
        {
            ToTester(header, frame, offload);
            return true;
        }

        return false;
    }

    private void Flood(VfPort? source, bool fromUplink, bool fromTester, in FrameHeader header, ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        foreach (VfPort port in _granted)
        {
            if (port != source)
            {
                ToFunction(port, header, frame, offload);
            }
        }

        if (!fromUplink)
        {
            _uplink.Deliver(frame, offload);
        }

        if (!fromTester)
        {
            ToTester(header, frame, offload);
        }
    }

    private void ToFunction(VfPort port, in FrameHeader header, ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        if (!port.Identity!.Filter.MayReceive(header))
        {
            port.Statistics.CountDrop(DropReason.FilterReceive);
        }
        else if (port.Deliver(frame, offload))
        {
            MarkUnflushed(port);
        }
    }

    // The tester measures as at a wire: it gets complete frames.
    private void ToTester(in FrameHeader header, ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        if (offload.IsNone)
        {
            _tester.Deliver(header, frame);
            return;
        }

        int done = 0;
        while (_completion.TryNext(frame, offload, ref done, out ReadOnlySpan<byte> complete))
        {
            _tester.Deliver(header, complete);
        }
    }
}
