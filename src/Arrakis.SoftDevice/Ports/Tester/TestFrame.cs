using System.Buffers.Binary;
using Arrakis.Contract.Control;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.SoftDevice.Ports.Tester;

/// <summary>
/// The frames of one test: Ethernet, IPv4, UDP, and a payload of sequence number u64, send time i64, and a pattern that
/// starts elsewhere with each sequence number, so that a stale or shifted payload does not pass for the right one.
/// </summary>
internal sealed class TestFrame
{
    /// <summary>The tester's UDP port.</summary>
    public const ushort Port = 49152;

    /// <summary>Bytes of sequence number and send time.</summary>
    public const int StampLength = 16;

    private const int IpOffset = EthernetView.HeaderLength;
    private const int UdpOffset = IpOffset + Ipv4View.MinHeaderLength;
    private const int PayloadOffset = UdpOffset + UdpView.HeaderLength;
    private const int PatternPeriod = 256;

    private readonly byte[] _frame;
    private readonly byte[] _pattern;
    private readonly TestPlan _plan;

    /// <summary>Prepares what all requests of a test share.</summary>
    public TestFrame(TestPlan plan, MacAddress source)
    {
        _plan = plan;
        _frame = GC.AllocateArray<byte>(PayloadOffset + plan.PayloadLength, pinned: true);
        EthernetView.Write(_frame, plan.TargetMac, source, EtherType.Ipv4);
        Ipv4View.Write(_frame.AsSpan(IpOffset), UdpView.HeaderLength + plan.PayloadLength, IpProtocol.Udp, plan.Source, plan.Target);
        _pattern = GC.AllocateArray<byte>(PatternPeriod + plan.PayloadLength, pinned: true);
        for (int i = 0; i < _pattern.Length; i++)
        {
            _pattern[i] = (byte)(i * 167 + 13); // 167 is odd: all 256 values in each period
        }
    }

    /// <summary>The frame of a request; valid until the next.</summary>
    public ReadOnlySpan<byte> Request(ulong sequence, long sentAt)
    {
        Span<byte> payload = _frame.AsSpan(PayloadOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(payload, sequence);
        BinaryPrimitives.WriteInt64LittleEndian(payload[8..], sentAt);
        Pattern(sequence).CopyTo(payload[StampLength..]);
        UdpView.Write(_frame.AsSpan(UdpOffset), _plan.Source, Port, _plan.Target, _plan.TargetPort);
        return _frame;
    }

    /// <summary>Whether a datagram is from the target to the tester; its payload, if it can be had.</summary>
    public bool TryReadReply(ReadOnlySpan<byte> frame, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        if (EthernetView.TryParse(frame, out EthernetView ethernet) != FrameError.None
            || ethernet.Source != _plan.TargetMac
            || ethernet.Type != EtherType.Ipv4
            || Ipv4View.TryParse(ethernet.Payload, out Ipv4View ip) != FrameError.None
            || ip.Protocol != IpProtocol.Udp
            || ip.Source != _plan.Target
            || ip.Destination != _plan.Source)
        {
            return false;
        }

        // From here on it is the target that speaks to the tester: what is wrong now is a corrupt reply, not noise.
        if (UdpView.TryParse(ip.Payload, ip.Source, ip.Destination, out UdpView udp) == FrameError.None
            && udp.SourcePort == _plan.TargetPort
            && udp.DestinationPort == Port)
        {
            payload = udp.Payload;
        }

        return true;
    }

    /// <summary>Whether a payload is, byte by byte, that of a request.</summary>
    public bool IsPayload(ReadOnlySpan<byte> payload, ulong sequence, long sentAt) =>
        payload.Length == _plan.PayloadLength
        && BinaryPrimitives.ReadUInt64LittleEndian(payload) == sequence
        && BinaryPrimitives.ReadInt64LittleEndian(payload[8..]) == sentAt
        && payload[StampLength..].SequenceEqual(Pattern(sequence));

    private ReadOnlySpan<byte> Pattern(ulong sequence) =>
        _pattern.AsSpan((int)(sequence % PatternPeriod), _plan.PayloadLength - StampLength);
}
