using Arrakis.Wire.Frames;

namespace Arrakis;

/// <summary>
/// What a binding, or one of its queues, received, sent and dropped. The polling thread writes; any thread may read, and sees
/// each number as it was a moment ago.
/// </summary>
public sealed class NetCounters
{
    private readonly long[] _errors = new long[Enum.GetValues<FrameError>().Length];
    private readonly long[] _drops = new long[Enum.GetValues<DropReason>().Length];
    private readonly NetCounters[] _parts;
    private long _framesReceived;
    private long _bytesReceived;
    private long _framesSent;
    private long _bytesSent;
    private long _datagramsDelivered;
    private long _arpPackets;
    private long _echoRequests;

    internal NetCounters(params NetCounters[] parts) => _parts = parts;

    /// <summary>Frames taken from the receive ring.</summary>
    public long FramesReceived => Total(static counters => Volatile.Read(ref counters._framesReceived));

    /// <summary>Their bytes, without the virtio-net header.</summary>
    public long BytesReceived => Total(static counters => Volatile.Read(ref counters._bytesReceived));

    /// <summary>Frames posted to the transmit ring.</summary>
    public long FramesSent => Total(static counters => Volatile.Read(ref counters._framesSent));

    /// <summary>Their bytes, without the virtio-net header.</summary>
    public long BytesSent => Total(static counters => Volatile.Read(ref counters._bytesSent));

    /// <summary>Datagrams handed to a socket or a packet handler.</summary>
    public long DatagramsDelivered => Total(static counters => Volatile.Read(ref counters._datagramsDelivered));

    /// <summary>Well-formed ARP packets received.</summary>
    public long ArpPackets => Total(static counters => Volatile.Read(ref counters._arpPackets));

    /// <summary>ICMP echo requests received.</summary>
    public long EchoRequests => Total(static counters => Volatile.Read(ref counters._echoRequests));

    /// <summary>Malformed or unsupported frames of one kind.</summary>
    public long this[FrameError error] => Total(error, static (counters, which) => Volatile.Read(ref counters._errors[(int)which]));

    /// <summary>Drops for one reason.</summary>
    public long this[DropReason reason] => Total(reason, static (counters, which) => Volatile.Read(ref counters._drops[(int)which]));

    /// <summary>All counters by name.</summary>
    public IReadOnlyDictionary<string, long> ToDictionary()
    {
        var all = new Dictionary<string, long>
        {
            [nameof(FramesReceived)] = FramesReceived,
            [nameof(BytesReceived)] = BytesReceived,
            [nameof(FramesSent)] = FramesSent,
            [nameof(BytesSent)] = BytesSent,
            [nameof(DatagramsDelivered)] = DatagramsDelivered,
            [nameof(ArpPackets)] = ArpPackets,
            [nameof(EchoRequests)] = EchoRequests,
        };
        foreach (FrameError error in Enum.GetValues<FrameError>())
        {
            if (error != FrameError.None)
            {
                all[error.ToString()] = this[error];
            }
        }

        foreach (DropReason reason in Enum.GetValues<DropReason>())
        {
            all[reason.ToString()] = this[reason];
        }

        return all;
    }

    internal void Count(FrameError error) => _errors[(int)error]++;

    internal void Count(DropReason reason) => _drops[(int)reason]++;

    internal void CountReceived(int frames, long bytes)
    {
        _framesReceived += frames;
        _bytesReceived += bytes;
    }

    internal void CountSent(int bytes)
    {
        _framesSent++;
        _bytesSent += bytes;
    }

    internal void CountDelivered(int datagrams) => _datagramsDelivered += datagrams;

    internal void CountArp() => _arpPackets++;

    internal void CountEcho() => _echoRequests++;

    private long Total(Func<NetCounters, long> count) => Total(count, static (counters, read) => read(counters));

    // A queue's own count, or the sum of the queues'.
    private long Total<T>(T which, Func<NetCounters, T, long> count)
    {
        long total = count(this, which);
        foreach (NetCounters part in _parts)
        {
            total += count(part, which);
        }

        return total;
    }
}
