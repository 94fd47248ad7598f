namespace Arrakis.SoftDevice.Rings;

/// <summary>Bytes of the driver's memory that one descriptor names: translated and inside it. The driver can change them at any time.</summary>
/// <param name="start">The first byte.</param>
/// <param name="length">Bytes.</param>
/// <param name="isWritten">Whether the device writes them, rather than reads.</param>
internal readonly unsafe struct MemoryPiece(byte* start, uint length, bool isWritten)
{
    /// <summary>The first byte.</summary>
    public readonly byte* Start = start;

    /// <summary>Bytes.</summary>
    public readonly uint Length = length;

    /// <summary>Whether the device writes them, rather than reads.</summary>
    public readonly bool IsWritten = isWritten;

    /// <summary>Where it is, for an operation that takes a number.</summary>
    public ulong Address => (ulong)Start;

    /// <summary>The bytes.</summary>
    public Span<byte> Bytes => new(Start, (int)Math.Min(Length, int.MaxValue));

    /// <summary>A part of it.</summary>
    public MemoryPiece Part(uint offset, uint count) => new(Start + offset, count, IsWritten);
}
