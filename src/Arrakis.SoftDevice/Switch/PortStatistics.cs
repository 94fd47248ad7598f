using Arrakis.Contract.Control;

namespace Arrakis.SoftDevice.Switch;

/// <summary>A port's counters. The polling thread writes them; any thread may read.</summary>
internal sealed class PortStatistics
{
    private readonly long[] _drops = new long[DropReasons.Count];
    private long _framesIn;
    private long _bytesIn;
    private long _framesOut;
    private long _bytesOut;

    /// <summary>A frame was taken from the port.</summary>
    public void CountIn(int bytes)
    {
        _framesIn++;
        _bytesIn += bytes;
    }

    /// <summary>A frame was delivered to the port.</summary>
    public void CountOut(int bytes)
    {
        _framesOut++;
        _bytesOut += bytes;
    }

    /// <summary>A frame was dropped.</summary>
    public void CountDrop(DropReason reason) => _drops[(int)reason]++;

    /// <summary>Starts from zero. Polling thread only.</summary>
    public void Clear()
    {
        Array.Clear(_drops);
        _framesIn = _bytesIn = _framesOut = _bytesOut = 0;
    }

    /// <summary>What was counted; reasons without a drop are left out.</summary>
    public PortCounters Read()
    {
        Dictionary<string, long> drops = [];
        for (int reason = 1; reason < _drops.Length; reason++)
        {
            if (Volatile.Read(ref _drops[reason]) is > 0 and var count)
            {
                drops[DropReasons.Name((DropReason)reason)] = count;
            }
        }

        return new PortCounters
        {
            FramesIn = Volatile.Read(ref _framesIn),
            BytesIn = Volatile.Read(ref _bytesIn),
            FramesOut = Volatile.Read(ref _framesOut),
            BytesOut = Volatile.Read(ref _bytesOut),
            Drops = drops,
        };
    }
}
