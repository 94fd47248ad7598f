using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Arrakis;

/// <summary>The right to use one buffer of a <see cref="BlockBufferPool"/> until it is given back. A handle of an earlier use is refused, and so is the default one.</summary>
public readonly record struct BlockBuffer
{
    private readonly BlockBufferPool? _pool;

    internal BlockBuffer(BlockBufferPool pool, int index, uint generation)
    {
        _pool = pool;
        Index = index;
        Generation = generation;
    }

    /// <summary>Bytes; none of the default handle's.</summary>
    public int Length => _pool?.BufferSize ?? 0;

    /// <summary>The bytes. Not to be held over a wait: the control plane may take the memory, which then reads as zeros.</summary>
    /// <exception cref="InvalidOperationException">The buffer was given back before, or a request of it has timed out, or the handle is the default one.</exception>
    /// <exception cref="ObjectDisposedException">The binding is disposed.</exception>
    public Span<byte> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (_pool ?? ThrowNone()).Bytes(this);
    }

    internal BlockBufferPool? Pool => _pool;

    internal int Index { get; }

    /// <summary>Odd while an owner holds it.</summary>
    internal uint Generation { get; }

    [DoesNotReturn]
    private static BlockBufferPool ThrowNone() => throw new InvalidOperationException("The handle is of no buffer: take one by BlockBufferPool.TryRent.");
}
