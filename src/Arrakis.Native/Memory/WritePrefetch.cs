namespace Arrakis.Native.Memory;

/// <summary>Asks for cache lines before they are written.</summary>
public static unsafe class WritePrefetch
{
    /// <summary>The most lines that one call asks for: a call stops a garbage collection for its length.</summary>
    public const int MaxLines = 64;

    /// <summary>Asks for lines; what is no memory is ignored. No system call.</summary>
    /// <param name="lines">Addresses in them.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are more than <see cref="MaxLines"/>.</exception>
    public static void Ask(ReadOnlySpan<nint> lines)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lines.Length, MaxLines);
        fixed (nint* list = lines)
        {
            LibcExtra.PrefetchForWrite((void**)list, lines.Length);
        }
    }
}
