using System.Runtime.InteropServices;
using Arrakis.Native.Memory;
using Tmds.Linux;

namespace Arrakis.Native.Storage;

/// <summary>A file, or a block device, that is used in blocks.</summary>
public sealed class BlockFile : IDisposable
{
    private const int LargestPage = 1 << 16;

    private BlockFile(Descriptor descriptor, long length)
    {
        Descriptor = descriptor;
        Length = length;
    }

    /// <summary>The open file.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>Bytes when it was opened.</summary>
    public long Length { get; }

    /// <summary>Whether a file's pages are in memory (tmpfs, hugetlbfs).</summary>
    /// <exception cref="LinuxException">It cannot be opened.</exception>
    public static bool IsInMemory(string path)
    {
        using Descriptor descriptor = Descriptor.Open(path, LibC.O_RDONLY);
        return MemoryFile.IsInMemory(descriptor);
    }

    /// <summary>Opens a file whose pages are in memory; all of them are allocated, so that no touch of a mapping can fail for want of room.</summary>
    /// <exception cref="LinuxException">It cannot be opened, or there is no room (ENOSPC).</exception>
    public static BlockFile OpenInMemory(string path)
    {
        Descriptor descriptor = Descriptor.Open(path, LibC.O_RDWR);
        try
        {
            long length = LengthOf(descriptor, path);
            LinuxException.ThrowIfNegative(LibC.fallocate(descriptor.Number, 0, 0, length), $"fallocate({path}, {length} bytes)");
            return new BlockFile(descriptor, length);
        }
        catch (LinuxException)
        {
            descriptor.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file past the page cache (O_DIRECT).</summary>
    /// <param name="path">The file.</param>
    /// <param name="blockSize">The unit of addresses and lengths that it has to take.</param>
    /// <exception cref="LinuxException">It cannot be opened so, or takes larger units only (EINVAL).</exception>
    public static BlockFile OpenDirect(string path, int blockSize)
    {
        Descriptor descriptor = Descriptor.Open(path, LibC.O_RDWR | LibC.O_DIRECT);
        try
        {
            long length = LengthOf(descriptor, path);
            TryUnit(descriptor, path, blockSize);
            return new BlockFile(descriptor, length);
        }
        catch (LinuxException)
        {
            descriptor.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();

    // Of a block device, which fstat(2) gives no length of, too.
    private static long LengthOf(Descriptor descriptor, string path)
    {
        long length = LibC.lseek(descriptor.Number, 0, LibC.SEEK_END);
        LinuxException.ThrowIfNegative(length, $"lseek({path})");
        return length > 0 ? length : throw new LinuxException($"{path} is empty", LibC.EINVAL);
    }

    private static unsafe void TryUnit(Descriptor descriptor, string path, int blockSize)
    {
        void* buffer = NativeMemory.AlignedAlloc((nuint)blockSize, LargestPage);
        try
        {
            LinuxException.ThrowIfNegative(LibC.pread(descriptor.Number, buffer, blockSize, 0), $"pread({path}, {blockSize} bytes past the page cache)");
        }
        finally
        {
            NativeMemory.AlignedFree(buffer);
        }
    }
}
