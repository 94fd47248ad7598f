using Arrakis.Wire.Virtio;

namespace Arrakis.TestBed.Storage;

/// <summary>A medium in memory, which loses nothing.</summary>
/// <param name="length">Bytes.</param>
public sealed class MemoryMedium(long length) : IBlockMedium
{
    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(checked((int)length));

    /// <inheritdoc/>
    public long Length => _bytes.Length;

    /// <summary>What is stored.</summary>
    public Span<byte> Bytes => _bytes;

    /// <summary>Flushes so far.</summary>
    public int Flushes { get; private set; }

    /// <inheritdoc/>
    public VirtioBlockStatus Read(long offset, Span<byte> data)
    {
        _bytes.AsSpan((int)offset, data.Length).CopyTo(data);
        return VirtioBlockStatus.Ok;
    }

    /// <inheritdoc/>
    public VirtioBlockStatus Write(long offset, ReadOnlySpan<byte> data)
    {
        data.CopyTo(_bytes.AsSpan((int)offset));
        return VirtioBlockStatus.Ok;
    }

    /// <inheritdoc/>
    public VirtioBlockStatus Flush()
    {
        Flushes++;
        return VirtioBlockStatus.Ok;
    }

    /// <inheritdoc/>
    public VirtioBlockStatus Discard(long offset, long length)
    {
        _bytes.AsSpan((int)offset, (int)length).Fill(0xDD); // What is read then is not said.
        return VirtioBlockStatus.Ok;
    }

    /// <inheritdoc/>
    public VirtioBlockStatus WriteZeroes(long offset, long length)
    {
        _bytes.AsSpan((int)offset, (int)length).Clear();
        return VirtioBlockStatus.Ok;
    }
}
