namespace Arrakis.Wire.Virtio;

/// <summary>
/// Feature bits of a block device (virtio 1.2 §5.2.3). Bits 0 to 23 mean something else for each type of device, so these stand beside
/// the network device's and not among them: a mask of a block device is a <see cref="VirtioFeatures"/> of which only the bits are meant.
/// </summary>
public static class VirtioBlockFeatures
{
    /// <summary>VIRTIO_BLK_F_SIZE_MAX: size_max, the most bytes of one segment, is valid.</summary>
    public const VirtioFeatures SizeMax = (VirtioFeatures)(1UL << 1);

    /// <summary>VIRTIO_BLK_F_SEG_MAX: seg_max, the most segments of a request, is valid.</summary>
    public const VirtioFeatures SegmentMax = (VirtioFeatures)(1UL << 2);

    /// <summary>VIRTIO_BLK_F_GEOMETRY: geometry is valid.</summary>
    public const VirtioFeatures Geometry = (VirtioFeatures)(1UL << 4);

    /// <summary>VIRTIO_BLK_F_RO: the device is read-only.</summary>
    public const VirtioFeatures ReadOnly = (VirtioFeatures)(1UL << 5);

    /// <summary>VIRTIO_BLK_F_BLK_SIZE: blk_size is valid.</summary>
    public const VirtioFeatures BlockSize = (VirtioFeatures)(1UL << 6);

    /// <summary>VIRTIO_BLK_F_FLUSH: the device has a flush command, and where it is negotiated a volatile write cache (§5.2.5).</summary>
    public const VirtioFeatures Flush = (VirtioFeatures)(1UL << 9);

    /// <summary>VIRTIO_BLK_F_TOPOLOGY: topology is valid.</summary>
    public const VirtioFeatures Topology = (VirtioFeatures)(1UL << 10);

    /// <summary>VIRTIO_BLK_F_CONFIG_WCE: the driver can switch the cache between writeback and writethrough.</summary>
    public const VirtioFeatures ConfigWriteback = (VirtioFeatures)(1UL << 11);

    /// <summary>VIRTIO_BLK_F_MQ: num_queues is valid; without it there is one request queue.</summary>
    public const VirtioFeatures MultiQueue = (VirtioFeatures)(1UL << 12);

    /// <summary>VIRTIO_BLK_F_DISCARD: the device has a discard command.</summary>
    public const VirtioFeatures Discard = (VirtioFeatures)(1UL << 13);

    /// <summary>VIRTIO_BLK_F_WRITE_ZEROES: the device has a write zeroes command.</summary>
    public const VirtioFeatures WriteZeroes = (VirtioFeatures)(1UL << 14);

    /// <summary>VIRTIO_BLK_F_LIFETIME: the device tells of its wear.</summary>
    public const VirtioFeatures Lifetime = (VirtioFeatures)(1UL << 15);

    /// <summary>VIRTIO_BLK_F_SECURE_ERASE: the device has a secure erase command.</summary>
    public const VirtioFeatures SecureErase = (VirtioFeatures)(1UL << 16);
}
