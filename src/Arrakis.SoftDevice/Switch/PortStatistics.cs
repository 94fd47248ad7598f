using Arrakis.Contract.Control;
using Arrakis.SoftDevice.Polling;

namespace Arrakis.SoftDevice.Switch;

/// <summary>A port's counters. The polling thread writes them; any thread may read.</summary>
internal sealed class PortStatistics
{
    private readonly ReasonCounts _drops = new(DropReasons.Count, static reason => DropReasons.Name((DropReason)reason));
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
    public void CountDrop(DropReason reason) => _drops.Count((int)reason);

    /// <summary>Starts from zero. Polling thread only.</summary>
    public void Clear()
    {
        _drops.Clear();
        _framesIn = _bytesIn = _framesOut = _bytesOut = 0;
    }

    /// <summary>What was counted; reasons without a drop are left out.</summary>
    public PortCounters Read()
    {
        return new PortCounters
        {
            FramesIn = Volatile.Read(ref _framesIn),
            BytesIn = Volatile.Read(ref _bytesIn),
            FramesOut = Volatile.Read(ref _framesOut),
            BytesOut = Volatile.Read(ref _bytesOut),
            Drops = _drops.Read(),
        };
    }
}
