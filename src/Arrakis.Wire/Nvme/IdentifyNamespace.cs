using System.Buffers.Binary;

namespace Arrakis.Wire.Nvme;

/// <summary>What a namespace of the NVM command set is (NVM Command Set 1.0 §4.1.5.1, CNS 00h).</summary>
/// <param name="BlockCount">NSZE: blocks, from 0 on.</param>
/// <param name="BlockSize">Bytes of a block in the format that it has: a power of two, 512 to 65536.</param>
/// <param name="MetadataSize">Bytes of metadata beside or behind each block.</param>
/// <param name="IsShared">NMIC bit 0: it may be attached to several controllers.</param>
/// <param name="IsWriteProtected">NSATTR bit 0: it cannot be written at present.</param>
public readonly record struct IdentifyNamespace(long BlockCount, int BlockSize, int MetadataSize, bool IsShared, bool IsWriteProtected)
{
    private const int FormatCountOffset = 25;
    private const int FormatOffset = 26;
    private const int SharingOffset = 30;
    private const int AttributesOffset = 99;
    private const int FormatsOffset = 128;
    private const int FormatSize = 4;
    private const int MinShift = 9, MaxShift = 16;

    /// <summary>Reads the structure. False where it makes no sense; the reason is a clause.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out IdentifyNamespace space, out string reason)
    {
        space = default;
        if (source.Length < IdentifyController.Length)
        {
            reason = $"its description has {source.Length} bytes of {IdentifyController.Length}";
            return false;
        }

        ulong blocks = BinaryPrimitives.ReadUInt64LittleEndian(source);
        if (blocks == 0)
        {
            reason = "it is not active, or has no blocks";
            return false;
        }

        // FLBAS: bits 0 to 3 and, where there are more than 16 formats, bits 5 and 6 above them. NLBAF is zero-based.
        byte chosen = source[FormatOffset];
        int count = source[FormatCountOffset] + 1;
        int format = count > 16 ? chosen & 0xF | (chosen >> 5 & 3) << 4 : chosen & 0xF;
        if (format >= count || FormatsOffset + (format + 1) * FormatSize > source.Length)
        {
            reason = $"it has format {format} of {count}";
            return false;
        }

        uint description = BinaryPrimitives.ReadUInt32LittleEndian(source[(FormatsOffset + format * FormatSize)..]);
        int shift = (int)(description >> 16 & 0xFF);
        if (shift is < MinShift or > MaxShift)
        {
            reason = $"its blocks have 2^{shift} bytes, and 512 to 65536 are served";
            return false;
        }

        if (blocks > (ulong)long.MaxValue >> shift)
        {
            reason = $"it has {blocks} blocks of {1 << shift} bytes, more than there are addresses for";
            return false;
        }

        space = new IdentifyNamespace((long)blocks, 1 << shift, (int)(description & 0xFFFF), (source[SharingOffset] & 1) != 0, (source[AttributesOffset] & 1) != 0);
        reason = "";
        return true;
    }
}
