using Arrakis.Native.Storage;

namespace Arrakis.ControlPlane.Areas.Export;

/// <summary>A device's file, past the page cache: what an application writes through its rings is seen at once, and the other way round.</summary>
internal sealed class DirectDeviceFile(DirectFile file) : IBlockFile, IDisposable
{
    /// <inheritdoc/>
    public void Read(Span<byte> buffer, long offset) => file.Read(buffer, offset);

    /// <inheritdoc/>
    public void Write(ReadOnlySpan<byte> bytes, long offset) => file.Write(bytes, offset);

    /// <inheritdoc/>
    public void Zero(long offset, long length) => file.Zero(offset, length);

    /// <inheritdoc/>
    public void Flush() => file.Flush();

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
