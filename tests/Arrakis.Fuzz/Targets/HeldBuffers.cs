using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;

namespace Arrakis.Fuzz.Targets;

/// <summary>Buffers that an application has taken out of a ring, and the promise that no buffer has two owners.</summary>
internal sealed class HeldBuffers(PacketPool pool, int max)
{
    private const string OneOwner = "no buffer has two owners";

    private readonly List<PacketBuffer> _held = [];

    /// <summary>How many there are.</summary>
    public int Count => _held.Count;

    /// <summary>Checks a buffer that a ring hands out, and takes it if that is chosen and there is room.</summary>
    public void Receive(ReceiveRing ring, ref ReceivedFrame frame, bool take)
    {
        FuzzTarget.Promise(!_held.Contains(frame.Buffer), OneOwner);
        if (take && _held.Count < max && ring.TryTake(ref frame))
        {
            _held.Add(frame.Buffer);
        }
    }

    /// <summary>Gives the last one back; there must be one.</summary>
    public void ReturnLast()
    {
        pool.Return(_held[^1]);
        _held.RemoveAt(_held.Count - 1);
    }

    /// <summary>Checks that each is held once.</summary>
    public void Check() => FuzzTarget.Promise(_held.Distinct().Count() == _held.Count, OneOwner);

    /// <summary>Checks that none of them is free; takes all free buffers.</summary>
    public void CheckOwners()
    {
        HashSet<int> owned = [.. _held.Select(static buffer => buffer.Index)];
        while (pool.TryRent(out PacketBuffer buffer))
        {
            FuzzTarget.Promise(owned.Add(buffer.Index), OneOwner);
        }
    }
}
