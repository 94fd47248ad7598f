using System.Numerics;
using Arrakis.Contract;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.VhostUser;

/// <summary>What a virtio block device's features and configuration space say of its disk (virtio 1.2 §5.2.3, §5.2.4).</summary>
internal static class DiskConfiguration
{
    private const int MaxBlockSize = 65536;

    /// <summary>Reads it.</summary>
    /// <exception cref="VhostUserException">It makes no sense.</exception>
    internal static BlockGeometry Read(VirtioFeatures features, ReadOnlySpan<byte> space)
    {
        var config = VirtioBlockConfig.Read(space);
        long blockSize = features.HasFlag(VirtioBlockFeatures.BlockSize) ? config.BlockSize : VirtioBlockRequest.SectorSize;
        if (blockSize is < VirtioBlockRequest.SectorSize or > MaxBlockSize || !BitOperations.IsPow2(blockSize))
        {
            throw new VhostUserException($"The back end has blocks of {blockSize} bytes; a power of two from {VirtioBlockRequest.SectorSize} to {MaxBlockSize} is used.");
        }

        if (config.Capacity > long.MaxValue / VirtioBlockRequest.SectorSize)
        {
            throw new VhostUserException($"The back end says that its disk has {config.Capacity} sectors.");
        }

        // A request's data is one segment. QEMU's storage daemon offers the limit and leaves it zero: it has none.
        long longest = features.HasFlag(VirtioBlockFeatures.SizeMax) && config.SizeMax != 0 ? Math.Min(config.SizeMax, BlockQueueLayout.MaxMaxTransferLength) : BlockQueueLayout.MaxMaxTransferLength;
        longest -= longest % blockSize;
        if (longest == 0)
        {
            throw new VhostUserException($"The back end takes segments of {config.SizeMax} bytes, less than a block of {blockSize}.");
        }

        return new BlockGeometry((int)blockSize, (long)config.Capacity * VirtioBlockRequest.SectorSize / blockSize, Capabilities(features), (int)longest);
    }

    // Without the flush command a device writes through (§5.2.6.2). With it, it may say that its cache is off (§5.2.5), which is not believed:
    // QEMU's storage daemon says so from the start, and caches. A flush too many costs time, one too few costs data.
    private static StorageCapabilities Capabilities(VirtioFeatures features)
    {
        bool isCached = features.HasFlag(VirtioBlockFeatures.Flush);
        return (isCached ? StorageCapabilities.VolatileCache : StorageCapabilities.None)
            | (features.HasFlag(VirtioBlockFeatures.Discard) ? StorageCapabilities.Discard : StorageCapabilities.None)
            | (features.HasFlag(VirtioBlockFeatures.WriteZeroes) ? StorageCapabilities.WriteZeroes : StorageCapabilities.None);
    }
}
