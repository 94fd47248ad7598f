namespace Arrakis.Wire.Igb;

/// <summary>
/// An advanced receive descriptor of the Intel 82576 (datasheet §7.1.5): sixteen bytes that the driver writes as two addresses
/// and the device overwrites with what it received. Fields are named by the 64-bit word that they are in, little-endian.
/// </summary>
public static class IgbReceiveDescriptor
{
    /// <summary>Bytes of a descriptor.</summary>
    public const int Size = 16;

    /// <summary>
    /// Bytes that the device may write into a buffer: SRRCTL.BSIZEPACKET of 2, in KiB (§8.10.2). It does not know how long a
    /// buffer really is.
    /// </summary>
    public const int BufferLength = 2048;
}
