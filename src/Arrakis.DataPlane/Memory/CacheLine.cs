using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Arrakis.DataPlane.Memory;

/// <summary>The unit in which memory moves between the cores.</summary>
internal static unsafe class CacheLine
{
    /// <summary>Bytes.</summary>
    public const int Size = 64;

    /// <summary>Asks for a line before it is needed; does nothing where the processor has no such instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }
}
