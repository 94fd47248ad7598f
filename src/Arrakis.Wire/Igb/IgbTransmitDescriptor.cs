namespace Arrakis.Wire.Igb;

/// <summary>
/// An advanced transmit data descriptor of the Intel 82576: sixteen bytes, little-endian (datasheet §7.2.2.3). The first word is
/// the address of the data; the second is named here. Where status was asked for, the device sets <see cref="Done"/> in it.
/// </summary>
public static class IgbTransmitDescriptor
{
    /// <summary>Bytes of a descriptor.</summary>
    public const int Size = 16;

    /// <summary>Offset of the second word.</summary>
    public const int CommandOffset = 8;

    /// <summary>DTALEN: bytes in this buffer, in the low sixteen bits.</summary>
    public const ulong LengthMask = 0xFFFF;

    /// <summary>DTYP: which kind of advanced descriptor it is.</summary>
    public const ulong TypeMask = 0xFUL << 20;

    /// <summary>DTYP of data.</summary>
    public const ulong Data = 3UL << 20;

    /// <summary>DTYP of a context (§7.2.2.2).</summary>
    public const ulong Context = 2UL << 20;

    /// <summary>DCMD.EOP: the frame ends in this buffer.</summary>
    public const ulong EndOfPacket = 1UL << 24;

    /// <summary>DCMD.IFCS: the device appends the check sequence.</summary>
    public const ulong InsertCheckSequence = 1UL << 25;

    /// <summary>DCMD.RS: the device sets <see cref="Done"/> when it has read this descriptor and its data.</summary>
    public const ulong ReportStatus = 1UL << 27;

    /// <summary>DCMD.DEXT: an advanced descriptor, and no legacy one.</summary>
    public const ulong Extended = 1UL << 29;

    /// <summary>STA.DD: the device has done it.</summary>
    public const ulong Done = 1UL << 32;

    /// <summary>Place of IDX: which of the queue's two contexts the frame is of. Of its first descriptor, as the rest.</summary>
    public const int IndexShift = 36;

    /// <summary>POPTS.IXSM: the device fills the checksum of the IPv4 header in.</summary>
    public const ulong InsertIpChecksum = 1UL << 40;

    /// <summary>POPTS.TXSM: the device fills the checksum of TCP or UDP in, in whose place the pseudo header's sum is.</summary>
    public const ulong InsertTransportChecksum = 1UL << 41;

    /// <summary>Place of PAYLEN, eighteen bits: bytes of the whole frame, without the check sequence.</summary>
    public const int PayloadLengthShift = 46;
}
