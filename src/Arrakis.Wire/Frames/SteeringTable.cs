namespace Arrakis.Wire.Frames;

/// <summary>How the entries of a steering table are shared out among queue pairs unless somebody chooses otherwise.</summary>
public static class SteeringTable
{
    /// <summary>Entries of the table (virtio 1.2 §5.1.4: at least 128 with VIRTIO_NET_F_RSS).</summary>
    public const int Length = 128;

    /// <summary>The queue pair of an entry: in turn.</summary>
    public static int PairOf(int entry, int queuePairs) => queuePairs <= 1 ? 0 : entry % queuePairs;
}
