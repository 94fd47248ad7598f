using System.Buffers.Binary;

namespace Arrakis.Wire.Frames;

/// <summary>ARP operations (RFC 826).</summary>
public enum ArpOperation : ushort
{
    /// <summary>Who has the target address?</summary>
    Request = 1,

    /// <summary>The sender has it.</summary>
    Reply = 2,
}

/// <summary>An ARP packet for IPv4 over Ethernet (RFC 826).</summary>
public readonly ref struct ArpView
{
    /// <summary>Bytes of the packet.</summary>
    public const int Length = 28;

    private const int OperationOffset = 6;
    private const int SenderMacOffset = 8;
    private const int SenderAddressOffset = 14;
    private const int TargetMacOffset = 18;
    private const int TargetAddressOffset = 24;

    private readonly ReadOnlySpan<byte> _packet;

    private ArpView(ReadOnlySpan<byte> packet) => _packet = packet;

    /// <summary>Request or reply.</summary>
    public ArpOperation Operation => (ArpOperation)BinaryPrimitives.ReadUInt16BigEndian(_packet[OperationOffset..]);

    /// <summary>Sender's hardware address.</summary>
    public MacAddress SenderMac => MacAddress.Read(_packet[SenderMacOffset..]);

    /// <summary>Sender's protocol address.</summary>
    public Ipv4Address SenderAddress => Ipv4Address.Read(_packet[SenderAddressOffset..]);

    /// <summary>Target's hardware address.</summary>
    public MacAddress TargetMac => MacAddress.Read(_packet[TargetMacOffset..]);

    /// <summary>Target's protocol address.</summary>
    public Ipv4Address TargetAddress => Ipv4Address.Read(_packet[TargetAddressOffset..]);

    /// <summary>Checks length, types and operation and makes a view of an Ethernet payload.</summary>
    public static FrameError TryParse(ReadOnlySpan<byte> payload, out ArpView view)
    {
        view = default;
        if (payload.Length < Length)
        {
            return FrameError.ArpTruncated;
        }

        // Hardware type 1, protocol type 0x0800, lengths 6 and 4: one comparison.
        if (BinaryPrimitives.ReadUInt32BigEndian(payload) != 0x0001_0800
            || BinaryPrimitives.ReadUInt16BigEndian(payload[4..]) != 0x0604
            || BinaryPrimitives.ReadUInt16BigEndian(payload[OperationOffset..]) is not (1 or 2))
        {
            return FrameError.ArpMalformed;
        }

        view = new ArpView(payload[..Length]);
        return FrameError.None;
    }

    /// <summary>Writes a packet.</summary>
    public static void Write(Span<byte> packet, ArpOperation operation, MacAddress senderMac, Ipv4Address sender, MacAddress targetMac, Ipv4Address target)
    {
        BinaryPrimitives.WriteUInt32BigEndian(packet, 0x0001_0800);
        BinaryPrimitives.WriteUInt16BigEndian(packet[4..], 0x0604);
        BinaryPrimitives.WriteUInt16BigEndian(packet[OperationOffset..], (ushort)operation);
        senderMac.Write(packet[SenderMacOffset..]);
        sender.Write(packet[SenderAddressOffset..]);
        targetMac.Write(packet[TargetMacOffset..]);
        target.Write(packet[TargetAddressOffset..]);
    }
}
