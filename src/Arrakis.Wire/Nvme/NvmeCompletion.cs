namespace Arrakis.Wire.Nvme;

/// <summary>
/// A completion queue entry: 16 bytes, little-endian (NVMe 2.0 §3.3.3.2). Its last dword has the phase tag, which the controller inverts
/// each time it comes round: the entry is new when the tag is.
/// </summary>
/// <param name="Dword0">The command's own result.</param>
/// <param name="Dword2">SQHD in the lower half, SQID in the upper.</param>
/// <param name="Dword3">CID in the lower half, then the phase tag, then the status.</param>
public readonly record struct NvmeCompletion(uint Dword0, uint Dword2, uint Dword3)
{
    /// <summary>Bytes of an entry.</summary>
    public const int Size = 16;

    /// <summary>Offset of the dword that has the head of the submission queue.</summary>
    public const int Dword2Offset = 8;

    /// <summary>Offset of the dword that has the phase tag: the last that the driver may believe, and the first that it reads.</summary>
    public const int Dword3Offset = 12;

    /// <summary>The phase tag's bit in dword 3.</summary>
    public const uint PhaseBit = 1u << 16;

    /// <summary>Place of the status in dword 3.</summary>
    public const int StatusShift = 17;

    /// <summary>The command.</summary>
    public ushort Id => (ushort)Dword3;

    /// <summary>The phase tag.</summary>
    public bool Phase => (Dword3 & PhaseBit) != 0;

    /// <summary>How it ended, see <see cref="NvmeStatus"/>.</summary>
    public NvmeStatus Status => new((ushort)(Dword3 >> StatusShift));

    /// <summary>How far the controller has taken commands out of the submission queue.</summary>
    public ushort SubmissionHead => (ushort)Dword2;

    /// <summary>The submission queue.</summary>
    public ushort SubmissionQueue => (ushort)(Dword2 >> 16);

    /// <summary>Composes dword 3.</summary>
    public static uint ComposeDword3(ushort id, bool phase, NvmeStatus status) => id | (phase ? PhaseBit : 0) | (uint)status.Value << StatusShift;
}
