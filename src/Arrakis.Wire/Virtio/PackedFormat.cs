namespace Arrakis.Wire.Virtio;

/// <summary>The packed virtqueue in memory (virtio 1.2 §2.8).</summary>
public static class PackedFormat
{
    /// <summary>Bytes of a descriptor: address u64, length u32, id u16, flags u16 (§2.8.13).</summary>
    public const int DescriptorSize = 16;

    /// <summary>Offset of the length in a descriptor.</summary>
    public const int DescriptorLengthOffset = 8;

    /// <summary>Offset of the buffer id in a descriptor.</summary>
    public const int DescriptorIdOffset = 12;

    /// <summary>Offset of the flags in a descriptor.</summary>
    public const int DescriptorFlagsOffset = 14;

    /// <summary>Bytes of an event suppression structure: offset and wrap counter u16, flags u16 (§2.8.14).</summary>
    public const int EventSize = 4;

    /// <summary>Offset of the flags in an event suppression structure.</summary>
    public const int EventFlagsOffset = 2;

    /// <summary>
    /// Offset, in the driver area and outside of the specification's four bytes, where a driver notes the next descriptor that
    /// it expects to be used, u16 with <see cref="WrapBit"/> inverted, so that a new ring says zero: unlike a split ring, a packed one does not say where a device
    /// that starts again has to go on.
    /// </summary>
    public const int DriverNoteOffset = 64;

    /// <summary>RING_EVENT_FLAGS_ENABLE: events are wanted (§2.8.10).</summary>
    public const ushort EventsEnabled = 0;

    /// <summary>RING_EVENT_FLAGS_DISABLE: none are.</summary>
    public const ushort EventsDisabled = 1;

    /// <summary>RING_EVENT_FLAGS_DESC: one is, when the descriptor at the offset is reached; with VIRTIO_F_EVENT_IDX.</summary>
    public const ushort EventAtDescriptor = 2;

    /// <summary>The wrap counter's bit in an event's offset, and in a vring base of vhost-user.</summary>
    public const ushort WrapBit = 1 << 15;
}
