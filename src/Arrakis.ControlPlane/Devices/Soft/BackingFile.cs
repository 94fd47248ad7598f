using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Storage;
using Microsoft.Win32.SafeHandles;

namespace Arrakis.ControlPlane.Devices.Soft;

/// <summary>The file, or the kernel's block device, that a software device's storage areas are in.</summary>
internal sealed class BackingFile : IDisposable
{
    private const int ChunkLength = 1 << 20;

    private readonly SafeFileHandle _handle;
    private readonly int _blockSize;

    private BackingFile(SafeFileHandle handle, int blockSize, long length)
    {
        _handle = handle;
        _blockSize = blockSize;
        BlockCount = length / blockSize;
    }

    /// <summary>Whole blocks.</summary>
    internal long BlockCount { get; }

    /// <summary>Opens it.</summary>
    /// <exception cref="IOException">It is not there, or has not a block.</exception>
    /// <exception cref="LinuxException">It has no end, as a pipe has none.</exception>
    internal static BackingFile Open(string path, int blockSize)
    {
        if (BlockDevice.IsClaimed(path))
        {
            throw new IOException($"{path} is a disk that is in use, by a file system or by another driver; name one that is free.");
        }

        SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        try
        {
            long length = FileEnd.Find(handle);
            return length >= blockSize
                ? new BackingFile(handle, blockSize, length)
                : throw new IOException($"{path} has {length} bytes, less than a block of {blockSize}; make it as long as its areas may become together (fallocate -l).");
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Makes blocks read as zeros, durably. What does so already is not written: a new file's blocks stay as its file system has laid
    /// them out.
    /// </summary>
    /// <exception cref="IOException">The file system does not do it.</exception>
    internal void Zero(IReadOnlyList<BlockExtent> extents, CancellationToken cancellation)
    {
        byte[] found = new byte[ChunkLength];
        byte[] zeros = new byte[ChunkLength];
        foreach (BlockExtent extent in extents)
        {
            long end = (extent.Start + extent.Count) * _blockSize;
            for (long at = extent.Start * _blockSize; at < end; at += ChunkLength)
            {
                cancellation.ThrowIfCancellationRequested();
                int length = (int)Math.Min(ChunkLength, end - at);
                if (!IsZero(found.AsSpan(0, length), at))
                {
                    RandomAccess.Write(_handle, zeros.AsSpan(0, length), at);
                }
            }
        }

        RandomAccess.FlushToDisk(_handle);
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private bool IsZero(Span<byte> found, long at)
    {
        int length = 0;
        while (length < found.Length)
        {
            int read = RandomAccess.Read(_handle, found[length..], at + length);
            if (read == 0)
            {
                throw new IOException($"The file of storage areas ends at {at + length}, before its blocks do; it was cut.");
            }

            length += read;
        }

        return !found.ContainsAnyExcept((byte)0);
    }
}
