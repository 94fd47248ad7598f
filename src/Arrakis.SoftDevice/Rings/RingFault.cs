namespace Arrakis.SoftDevice.Rings;

/// <summary>What a driver did to its ring that no correct driver does; the ring is dead from then on.</summary>
public enum RingFault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The size is no power of two from 2 to 32768, or over the device's limit.</summary>
    SizeInvalid,

    /// <summary>The descriptor table is misaligned or not inside the memory table.</summary>
    DescriptorTableOutside,

    /// <summary>The available ring is misaligned or not inside the memory table.</summary>
    AvailableRingOutside,

    /// <summary>The used ring is misaligned or not inside the memory table.</summary>
    UsedRingOutside,

    /// <summary>The available index is further ahead than the ring is long.</summary>
    AvailableIndexOutOfRange,

    /// <summary>A descriptor's index is not below the ring's size.</summary>
    DescriptorIndexOutOfRange,

    /// <summary>A chain loops, or is longer than <see cref="SplitDeviceRing.MaxChainLength"/>.</summary>
    ChainTooLong,

    /// <summary>A descriptor is indirect, which was not negotiated.</summary>
    IndirectNotNegotiated,

    /// <summary>A buffer is not inside the memory table.</summary>
    BufferOutsideMemory,

    /// <summary>A receive buffer is not marked as one that the device writes.</summary>
    BufferNotWritable,

    /// <summary>A transmit buffer is marked as one that the device writes.</summary>
    BufferNotReadable,
}

/// <summary>What came of looking for a frame in a transmit ring.</summary>
public enum RingRead
{
    /// <summary>The driver has made nothing available.</summary>
    Empty,

    /// <summary>A frame was copied out.</summary>
    Frame,

    /// <summary>A chain is shorter than its virtio-net header.</summary>
    TooShort,

    /// <summary>A chain has more bytes than the device takes.</summary>
    TooLong,

    /// <summary>The ring is dead; <see cref="SplitDeviceRing.Fault"/> says why.</summary>
    Broken,
}

/// <summary>What came of putting a frame into a receive ring.</summary>
public enum RingWrite
{
    /// <summary>The frame is in the ring, to be published.</summary>
    Done,

    /// <summary>The driver has no buffer there.</summary>
    Full,

    /// <summary>The driver's next buffer is too small for the frame; it stays where it is.</summary>
    TooSmall,

    /// <summary>The ring is dead; <see cref="SplitDeviceRing.Fault"/> says why.</summary>
    Broken,
}
