using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Memory;

/// <summary>
/// What lies where in a packet buffer. The frame starts on a cache line and its virtio-net header ends the line before: a
/// header that says the same as last time is then not written, and its line stays in both cores' caches.
/// </summary>
internal static class BufferLayout
{
    /// <summary>Offset of the frame.</summary>
    public const int FrameOffset = 64;

    /// <summary>Offset of its virtio-net header.</summary>
    public const int HeaderOffset = FrameOffset - VirtioNetHeader.Length;
}
