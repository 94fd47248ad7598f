using Arrakis.Wire.Frames;

namespace Arrakis.SoftDevice.Switch;

/// <summary>
/// Steers frames to queues by a hash of their flow, through a table, so that all frames of a flow come to
/// one queue, in order. What has no flow comes to the first.
/// </summary>
internal sealed class FlowTable
{
    /// <summary>Entries of the table.</summary>
    public const int Length = SteeringTable.Length;

    private readonly byte[] _queues = new byte[Length];
    private int _count;

    /// <summary>Shares the entries out evenly among queues.</summary>
    /// <param name="count">Queues.</param>
    public void Share(int count)
    {
        _count = count;
        for (int entry = 0; entry < Length; entry++)
        {
            _queues[entry] = (byte)SteeringTable.PairOf(entry, count);
        }
    }

    /// <summary>The queue of a frame.</summary>
    public int QueueOf(ReadOnlySpan<byte> frame) => _count <= 1 ? 0 : _queues[ToeplitzHash.OfFrame(frame) % Length];
}
