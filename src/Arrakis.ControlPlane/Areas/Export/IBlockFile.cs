namespace Arrakis.ControlPlane.Areas.Export;

/// <summary>Bytes of a device, as it has them. For any thread.</summary>
internal interface IBlockFile
{
    /// <summary>Reads all of the buffer.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    void Read(Span<byte> buffer, long offset);

    /// <summary>Writes all bytes.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    void Write(ReadOnlySpan<byte> bytes, long offset);

    /// <summary>Makes a part read as zeros.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    void Zero(long offset, long length);

    /// <summary>Makes durable what was written.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    void Flush();
}
