using Arrakis.DataPlane.Memory;

namespace Arrakis.DataPlane.Rings;

/// <summary>A part of a frame that lies in several buffers.</summary>
/// <param name="Buffer">The buffer, owned.</param>
/// <param name="Offset">Where in the buffer it starts; in the first one, <see cref="BufferLayout.FrameOffset"/> or later.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct TransmitSegment(PacketBuffer Buffer, int Offset, int Length);
