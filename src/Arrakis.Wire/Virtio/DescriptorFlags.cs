namespace Arrakis.Wire.Virtio;

/// <summary>Flags of a descriptor (virtio 1.2 §2.7.5, §2.8.1).</summary>
public static class DescriptorFlags
{
    /// <summary>VIRTQ_DESC_F_NEXT: the buffer goes on in another descriptor.</summary>
    public const ushort Next = 1;

    /// <summary>VIRTQ_DESC_F_WRITE: the device writes this buffer.</summary>
    public const ushort Write = 2;

    /// <summary>VIRTQ_DESC_F_INDIRECT: the buffer holds a descriptor table.</summary>
    public const ushort Indirect = 4;

    /// <summary>VIRTQ_DESC_F_AVAIL, packed only: equals the driver's wrap counter where the descriptor is available.</summary>
    public const ushort Available = 1 << 7;

    /// <summary>VIRTQ_DESC_F_USED, packed only: equals <see cref="Available"/> where the descriptor is used.</summary>
    public const ushort Used = 1 << 15;
}
