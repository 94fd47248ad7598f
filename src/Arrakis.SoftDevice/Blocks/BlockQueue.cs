using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Rings;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>A running ring of a block function, and what of it the medium still has. Polling thread only.</summary>
internal sealed class BlockQueue(RunningRing ring)
{
    /// <summary>The ring.</summary>
    public RunningRing Ring => ring;

    /// <summary>Requests that were taken and not given back.</summary>
    public int InFlight { get; private set; }

    /// <summary>Whether nothing more is taken of it.</summary>
    public bool IsStopping { get; set; }

    /// <summary>Whether its driver broke it: nothing is given back to it any more.</summary>
    public bool IsBroken { get; set; }

    /// <summary>A request was taken that is not given back at once.</summary>
    public void Hold() => InFlight++;

    /// <summary>Gives a request back that was held.</summary>
    public void Release(RingRequest request, MemoryPiece status, byte outcome, uint written)
    {
        InFlight--;
        if (!IsBroken)
        {
            status.Bytes[0] = outcome;
            ring.Return(request, written);
        }
    }
}
