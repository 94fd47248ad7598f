using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;

namespace Arrakis.NicThroughput.Loops;

/// <summary>What a loop works with: a binding's pool and its two rings.</summary>
/// <param name="Pool">Buffers.</param>
/// <param name="Receive">Receive ring.</param>
/// <param name="Transmit">Transmit ring.</param>
/// <param name="BatchLength">Frames that are handled at once, as testpmd's bursts.</param>
/// <param name="FrameLength">Bytes of a frame.</param>
internal sealed record RingSet(PacketPool Pool, ReceiveRing Receive, TransmitRing Transmit, int BatchLength, int FrameLength);
