using System.Buffers.Binary;

namespace Arrakis.Wire.Virtio;

/// <summary>The configuration space of a network device (virtio 1.2 §5.1.4): mac, status u16, max_virtqueue_pairs u16, mtu u16.</summary>
/// <param name="Mac">The device's address; valid with VIRTIO_NET_F_MAC.</param>
/// <param name="IsLinkUp">VIRTIO_NET_S_LINK_UP in the status; valid with VIRTIO_NET_F_STATUS.</param>
/// <param name="MaxQueuePairs">Valid with VIRTIO_NET_F_MQ.</param>
/// <param name="Mtu">Valid with VIRTIO_NET_F_MTU.</param>
public readonly record struct VirtioNetConfig(MacAddress Mac, bool IsLinkUp, ushort MaxQueuePairs, ushort Mtu)
{
    /// <summary>Bytes of these fields; what the features of this project give a meaning to.</summary>
    public const int Length = 12;

    /// <summary>Offset of the status.</summary>
    public const int StatusOffset = 6;

    /// <summary>Offset of the number of queue pairs.</summary>
    public const int MaxQueuePairsOffset = 8;

    /// <summary>Offset of the MTU.</summary>
    public const int MtuOffset = 10;

    /// <summary>Reads the fields.</summary>
    public static VirtioNetConfig Read(ReadOnlySpan<byte> source) => new(
        MacAddress.Read(source),
        (BinaryPrimitives.ReadUInt16LittleEndian(source[StatusOffset..]) & 1) != 0,
        BinaryPrimitives.ReadUInt16LittleEndian(source[MaxQueuePairsOffset..]),
        BinaryPrimitives.ReadUInt16LittleEndian(source[MtuOffset..]));

    /// <summary>Writes the fields.</summary>
    public void Write(Span<byte> destination)
    {
        Mac.Write(destination);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[StatusOffset..], (ushort)(IsLinkUp ? 1 : 0));
        BinaryPrimitives.WriteUInt16LittleEndian(destination[MaxQueuePairsOffset..], MaxQueuePairs);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[MtuOffset..], Mtu);
    }
}
