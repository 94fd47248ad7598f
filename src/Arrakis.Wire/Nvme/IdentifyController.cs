using System.Buffers.Binary;
using System.Text;

namespace Arrakis.Wire.Nvme;

/// <summary>What a controller says of itself, as far as it matters here (NVMe 2.0 §5.17.2.1, CNS 01h).</summary>
public sealed record IdentifyController
{
    /// <summary>Bytes of an Identify data structure.</summary>
    public const int Length = 4096;

    private const int SerialOffset = 4, SerialLength = 20;
    private const int ModelOffset = 24, ModelLength = 40;
    private const int FirmwareOffset = 64, FirmwareLength = 8;
    private const int TransferOffset = 77;
    private const int ControllerOffset = 78;
    private const int AdminCommandsOffset = 256;
    private const int SubmissionSizesOffset = 512;
    private const int CompletionSizesOffset = 513;
    private const int NamespacesOffset = 516;
    private const int CommandsOffset = 520;
    private const int CacheOffset = 525;
    private const int SglOffset = 536;
    private const int MaxShift = 62;

    /// <summary>SN, with what cannot be printed replaced.</summary>
    public required string SerialNumber { get; init; }

    /// <summary>MN, likewise.</summary>
    public required string Model { get; init; }

    /// <summary>FR, likewise.</summary>
    public required string Firmware { get; init; }

    /// <summary>CNTLID: its identifier in the subsystem.</summary>
    public required ushort ControllerId { get; init; }

    /// <summary>MDTS: the most that a command transfers, as a power of two of the smallest page; 0 where there is no limit.</summary>
    public required byte MaxTransferShift { get; init; }

    /// <summary>NN: the largest namespace identifier.</summary>
    public required uint NamespaceCount { get; init; }

    /// <summary>OACS bit 3: namespaces can be attached to controllers and detached.</summary>
    public required bool HasNamespaceManagement { get; init; }

    /// <summary>OACS bit 7: it gives resources to secondary controllers.</summary>
    public required bool HasVirtualizationManagement { get; init; }

    /// <summary>ONCS bit 2: dataset management.</summary>
    public required bool HasDatasetManagement { get; init; }

    /// <summary>ONCS bit 3: write zeroes.</summary>
    public required bool HasWriteZeroes { get; init; }

    /// <summary>VWC bit 0: there is a volatile write cache.</summary>
    public required bool HasVolatileWriteCache { get; init; }

    /// <summary>SGLS bits 0 and 1: the NVM command set's data may be described by SGLs.</summary>
    public required bool HasSgl { get; init; }

    /// <summary>Reads the structure. False where it cannot be what a controller that works says; the reason is a clause.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IdentifyController? controller, out string reason)
    {
        controller = null;
        if (source.Length < Length)
        {
            reason = $"its description has {source.Length} bytes of {Length}";
            return false;
        }

        // SQES and CQES: the smallest size in the low half, the largest in the high one, as powers of two.
        if (!Includes(source[SubmissionSizesOffset], 6) || !Includes(source[CompletionSizesOffset], 4))
        {
            reason = $"it takes no queue entries of 64 and 16 bytes (SQES 0x{source[SubmissionSizesOffset]:x2}, CQES 0x{source[CompletionSizesOffset]:x2})";
            return false;
        }

        ushort admin = BinaryPrimitives.ReadUInt16LittleEndian(source[AdminCommandsOffset..]);
        ushort commands = BinaryPrimitives.ReadUInt16LittleEndian(source[CommandsOffset..]);
        controller = new IdentifyController
        {
            SerialNumber = Text(source.Slice(SerialOffset, SerialLength)),
            Model = Text(source.Slice(ModelOffset, ModelLength)),
            Firmware = Text(source.Slice(FirmwareOffset, FirmwareLength)),
            ControllerId = BinaryPrimitives.ReadUInt16LittleEndian(source[ControllerOffset..]),
            MaxTransferShift = source[TransferOffset],
            NamespaceCount = BinaryPrimitives.ReadUInt32LittleEndian(source[NamespacesOffset..]),
            HasNamespaceManagement = (admin & 1 << 3) != 0,
            HasVirtualizationManagement = (admin & 1 << 7) != 0,
            HasDatasetManagement = (commands & 1 << 2) != 0,
            HasWriteZeroes = (commands & 1 << 3) != 0,
            HasVolatileWriteCache = (source[CacheOffset] & 1) != 0,
            HasSgl = (BinaryPrimitives.ReadUInt32LittleEndian(source[SglOffset..]) & 3) is 1 or 2,
        };
        reason = "";
        return true;
    }

    /// <summary>The most bytes that a command may transfer.</summary>
    /// <param name="minPageSize">The smallest page, <see cref="NvmeCapabilities.MinPageSize"/>.</param>
    /// <param name="limit">What this side takes at most.</param>
    public int MaxTransferLength(long minPageSize, int limit)
    {
        if (MaxTransferShift == 0)
        {
            return limit;
        }

        int shift = System.Numerics.BitOperations.Log2((ulong)minPageSize) + MaxTransferShift;
        return shift >= MaxShift ? limit : (int)Math.Min(1L << shift, limit);
    }

    private static bool Includes(byte sizes, int wanted) => (sizes & 0xF) <= wanted && sizes >> 4 >= wanted;

    private static string Text(ReadOnlySpan<byte> ascii)
    {
        var text = new StringBuilder(ascii.Length);
        foreach (byte letter in ascii)
        {
            _ = text.Append(letter is >= 0x20 and < 0x7F ? (char)letter : '?');
        }

        return text.ToString().Trim();
    }
}
