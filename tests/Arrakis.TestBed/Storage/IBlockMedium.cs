using Arrakis.Wire.Virtio;

namespace Arrakis.TestBed.Storage;

/// <summary>What a model of a block device keeps its bytes in. A medium that models a volatile cache, or fails, is another one.</summary>
public interface IBlockMedium
{
    /// <summary>Bytes.</summary>
    long Length { get; }

    /// <summary>Reads whole sectors.</summary>
    VirtioBlockStatus Read(long offset, Span<byte> data);

    /// <summary>Writes whole sectors.</summary>
    VirtioBlockStatus Write(long offset, ReadOnlySpan<byte> data);

    /// <summary>Makes durable what was written.</summary>
    VirtioBlockStatus Flush();

    /// <summary>Gives sectors back.</summary>
    VirtioBlockStatus Discard(long offset, long length);

    /// <summary>Zeroes sectors.</summary>
    VirtioBlockStatus WriteZeroes(long offset, long length);
}
