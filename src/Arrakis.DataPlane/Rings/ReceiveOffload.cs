using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>What the device said of a received frame in its virtio-net header (virtio 1.2 §5.1.6.4): flags in the low byte, segment type in the high one.</summary>
internal static class ReceiveOffload
{
    /// <summary>The checksum is good, or was never needed: the frame has not left the machine.</summary>
    public const ushort ChecksumGood = VirtioNetHeader.DataValid | VirtioNetHeader.NeedsChecksum;

    /// <summary>The checksum field holds the sum of the pseudo header only.</summary>
    public const ushort ChecksumPartial = VirtioNetHeader.NeedsChecksum;

    private const VirtioFeatures Segments =
        VirtioFeatures.NetGuestTso4 | VirtioFeatures.NetGuestTso6 | VirtioFeatures.NetGuestUfo | VirtioFeatures.NetGuestUso4 | VirtioFeatures.NetGuestUso6;

    /// <summary>The bits that a device may set; the others are not looked at.</summary>
    public static ushort Mask(VirtioFeatures features) => (ushort)(
        ((features & VirtioFeatures.NetGuestChecksum) != 0 ? ChecksumGood : 0)
        | ((features & Segments) != 0 ? 0xff00 : 0));
}
