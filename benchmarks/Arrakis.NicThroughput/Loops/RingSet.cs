using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;

namespace Arrakis.NicThroughput.Loops;

/// <summary>What a loop works with: a binding's pool and its two rings.</summary>
/// <param name="Pool">Buffers.</param>
/// <param name="Receive">Receive ring.</param>
/// <param name="Transmit">Transmit ring.</param>
internal sealed record RingSet(PacketPool Pool, ReceiveRing Receive, TransmitRing Transmit)
{
    /// <summary>Frames that are handled at once, as testpmd's bursts.</summary>
    public const int BatchLength = 32;

    /// <summary>Bytes of a frame.</summary>
    public const int FrameLength = 64;
}
