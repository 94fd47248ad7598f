using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Arrakis.DataPlane.Rings;

/// <summary>What the device gave back: as an entry of a used ring (virtio 1.2 §2.7.8), but checked.</summary>
/// <param name="Id">The id of a buffer, or of a chain's first, that was with the device.</param>
/// <param name="Length">Bytes that the device says to have written: not checked. <see cref="WholeBuffer"/> where it wrote no length.</param>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct UsedBuffer(uint Id, uint Length)
{
    /// <summary>In order, a device may name the last of several buffers alone; the others it has filled wholly (§2.7.9).</summary>
    public const uint WholeBuffer = uint.MaxValue;

    /// <summary>A length that the device wrote, which never means a whole buffer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint LengthFromDevice(uint length) => Math.Min(length, WholeBuffer - 1);
}
