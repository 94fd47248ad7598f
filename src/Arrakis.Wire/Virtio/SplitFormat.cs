namespace Arrakis.Wire.Virtio;

/// <summary>The split virtqueue in memory (virtio 1.2 §2.7).</summary>
public static class SplitFormat
{
    /// <summary>Bytes of a descriptor: address u64, length u32, flags u16, next u16 (§2.7.5).</summary>
    public const int DescriptorSize = 16;

    /// <summary>Offset of the length in a descriptor.</summary>
    public const int DescriptorLengthOffset = 8;

    /// <summary>Offset of the flags in a descriptor.</summary>
    public const int DescriptorFlagsOffset = 12;

    /// <summary>Offset of the next index in a descriptor.</summary>
    public const int DescriptorNextOffset = 14;

    /// <summary>Offset of the index in the available and used rings; flags are at 0 (§2.7.6, §2.7.8).</summary>
    public const int IndexOffset = 2;

    /// <summary>Offset of the first entry in the available and used rings.</summary>
    public const int EntriesOffset = 4;

    /// <summary>Bytes of an available ring entry: a descriptor index.</summary>
    public const int AvailableEntrySize = 2;

    /// <summary>Bytes of a used ring entry: id u32, length u32.</summary>
    public const int UsedEntrySize = 8;

    /// <summary>Bytes of used_event, after the available entries, and of avail_event, after the used ones (§2.7.7, §2.7.10).</summary>
    public const int EventSize = 2;

    /// <summary>VIRTQ_AVAIL_F_NO_INTERRUPT: the driver does not need an event (§2.7.7).</summary>
    public const ushort AvailableNoInterrupt = 1;

    /// <summary>VIRTQ_USED_F_NO_NOTIFY: the device does not need a doorbell (§2.7.10).</summary>
    public const ushort UsedNoNotify = 1;
}
