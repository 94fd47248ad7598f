using Arrakis.Native;
using Arrakis.Native.IoUring;
using Arrakis.Native.Storage;
using Arrakis.SoftDevice.Memory;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>The backing file of a device's block functions: mapped, or a disk's.</summary>
internal sealed class BlockMedium : IDisposable
{
    private readonly BlockFile _file;

    private BlockMedium(BlockFile file, BlockOptions options, MappedFile? mapped, DiskQueue? disk)
    {
        _file = file;
        BlockSize = options.BlockSize;
        Mapped = mapped;
        Disk = disk;
    }

    /// <summary>Bytes of a block.</summary>
    public int BlockSize { get; }

    /// <summary>Bytes of the file.</summary>
    public long Length => _file.Length;

    /// <summary>The file, where it is in memory.</summary>
    public MappedFile? Mapped { get; }

    /// <summary>The requests that it has, where it is a disk's.</summary>
    public DiskQueue? Disk { get; }

    /// <summary>
    /// What block functions on it offer. Where it is memory, there is no cache to flush, and no discard: room that is given back
    /// might not be had again, which a mapping learns by a signal.
    /// </summary>
    public VirtioFeatures Features => Disk is null ? VirtioBlockFeatures.WriteZeroes
        : VirtioBlockFeatures.WriteZeroes | VirtioBlockFeatures.Discard | VirtioBlockFeatures.Flush;

    /// <summary>The most bytes that a segment of a discard or write zeroes may name.</summary>
    public long MaxRange => Disk is null ? BlockRequest.MaxMemoryRange : BlockRequest.MaxDiskRange;

    /// <summary>Opens a file.</summary>
    /// <exception cref="LinuxException">It cannot be opened, mapped, or reached past the page cache.</exception>
    public static BlockMedium Open(BlockOptions options)
    {
        bool isMemory = options.Backing switch
        {
            BlockBacking.Memory => true,
            BlockBacking.Disk => false,
            _ => BlockFile.IsInMemory(options.File),
        };
        BlockFile file = isMemory ? BlockFile.OpenInMemory(options.File) : BlockFile.OpenDirect(options.File, options.BlockSize);
        try
        {
            return isMemory
                ? new BlockMedium(file, options, new MappedFile(file), null)
                : new BlockMedium(file, options, null, new DiskQueue(file.Descriptor, options.Functions, options.HasKernelThread ? IoUringSubmitter.Kernel : IoUringSubmitter.Caller));
        }
        catch (LinuxException)
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Mapped?.Dispose();
        Disk?.Dispose();
        _file.Dispose();
    }
}
