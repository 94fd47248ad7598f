using System.Runtime.CompilerServices;

namespace Arrakis.DataPlane.Rings;

/// <summary>VIRTIO_F_EVENT_IDX: who sleeps says at which index to be woken (virtio 1.2 §2.7.10, §2.8.10).</summary>
internal static class EventIndex
{
    /// <summary>Whether an index went past the one that the sleeper named, in 16-bit arithmetic.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsPassed(ushort wanted, ushort now, ushort before) => (ushort)(now - wanted - 1) < (ushort)(now - before);
}
