namespace Arrakis.SoftDevice.Rings;

/// <summary>What a driver did to its ring that no correct driver does; the ring is dead from then on.</summary>
public enum RingFault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The size is no power of two from 2 to 32768, or over the device's limit.</summary>
    SizeInvalid,

    /// <summary>The descriptor table, or a packed ring, is misaligned or not inside the memory table.</summary>
    DescriptorTableOutside,

    /// <summary>The available ring, or the driver's event suppression, is misaligned or not inside the memory table.</summary>
    AvailableRingOutside,

    /// <summary>The used ring, or the device's event suppression, is misaligned or not inside the memory table.</summary>
    UsedRingOutside,

    /// <summary>The place to go on at is not inside a packed ring.</summary>
    BaseOutOfRange,

    /// <summary>The available index is further ahead than the ring is long.</summary>
    AvailableIndexOutOfRange,

    /// <summary>A descriptor's index is not below the ring's size.</summary>
    DescriptorIndexOutOfRange,

    /// <summary>A chain loops, or is longer than <see cref="DeviceRing.MaxChainLength"/>.</summary>
    ChainTooLong,

    /// <summary>A descriptor is indirect, which was not negotiated.</summary>
    IndirectNotNegotiated,

    /// <summary>An indirect table is empty, or no whole number of descriptors long, or its descriptor goes on or is inside a packed chain.</summary>
    IndirectTableInvalid,

    /// <summary>A descriptor in an indirect table is indirect itself.</summary>
    IndirectNested,

    /// <summary>A buffer is not inside the memory table.</summary>
    BufferOutsideMemory,

    /// <summary>A receive buffer is not marked as one that the device writes.</summary>
    BufferNotWritable,

    /// <summary>A transmit buffer is marked as one that the device writes.</summary>
    BufferNotReadable,

    /// <summary>In the chain of a request, a buffer that the device reads comes after one that it writes (§2.6.4.2).</summary>
    BuffersOutOfOrder,

    /// <summary>The chain of a request has no room for its header, or for its status.</summary>
    RequestTooShort,
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

    /// <summary>The ring is dead; <see cref="DeviceRing.Fault"/> says why.</summary>
    Broken,
}

/// <summary>What came of putting a frame into a receive ring.</summary>
public enum RingWrite
{
    /// <summary>The frame is in the ring, to be published.</summary>
    Done,

    /// <summary>The driver has no buffer there.</summary>
    Full,

    /// <summary>The driver's next buffer, or as many as one frame may take, are too small for the frame; they stay where they are.</summary>
    TooSmall,

    /// <summary>The ring is dead; <see cref="DeviceRing.Fault"/> says why.</summary>
    Broken,
}
