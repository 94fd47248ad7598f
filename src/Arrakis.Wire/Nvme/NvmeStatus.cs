namespace Arrakis.Wire.Nvme;

/// <summary>The status field of a completion without the phase tag: 15 bits (NVMe 2.0 §3.3.3.2.1).</summary>
/// <param name="Value">SC in bits 0 to 7, SCT in 8 to 10, CRD in 11 and 12, M in 13, DNR in 14.</param>
public readonly record struct NvmeStatus(ushort Value)
{
    /// <summary>The bits of type and code.</summary>
    public const ushort CodeMask = 0x7FF;

    /// <summary>Type and code of success.</summary>
    public const ushort Success = 0x000;

    /// <summary>Generic: the opcode is not known.</summary>
    public const ushort InvalidOpcode = 0x001;

    /// <summary>Generic: a field has a value that the controller does not take.</summary>
    public const ushort InvalidField = 0x002;

    /// <summary>Generic: the identifier is in use.</summary>
    public const ushort CommandIdConflict = 0x003;

    /// <summary>Generic: data could not be transferred.</summary>
    public const ushort DataTransferError = 0x004;

    /// <summary>Generic: the power was about to go.</summary>
    public const ushort AbortedPowerLoss = 0x005;

    /// <summary>Generic: the controller failed in itself.</summary>
    public const ushort InternalError = 0x006;

    /// <summary>Generic: the command was aborted as asked for.</summary>
    public const ushort AbortRequested = 0x007;

    /// <summary>Generic: its submission queue was deleted.</summary>
    public const ushort AbortedQueueDeleted = 0x008;

    /// <summary>Generic: no such namespace, or none that may be used so.</summary>
    public const ushort InvalidNamespace = 0x00B;

    /// <summary>Generic: an SGL descriptor is wrong.</summary>
    public const ushort InvalidSgl = 0x00D;

    /// <summary>Generic: a PRP entry has an offset where it must not.</summary>
    public const ushort InvalidPrpOffset = 0x013;

    /// <summary>Generic: the namespace is write protected.</summary>
    public const ushort NamespaceWriteProtected = 0x020;

    /// <summary>Generic: interrupted; again, please.</summary>
    public const ushort CommandInterrupted = 0x021;

    /// <summary>Generic: not now, but soon.</summary>
    public const ushort TransientTransportError = 0x022;

    /// <summary>NVM: blocks beyond the namespace's end.</summary>
    public const ushort LbaOutOfRange = 0x080;

    /// <summary>NVM: the namespace's capacity is used up.</summary>
    public const ushort CapacityExceeded = 0x081;

    /// <summary>NVM: the namespace is not ready.</summary>
    public const ushort NamespaceNotReady = 0x082;

    /// <summary>NVM: a reservation of another host.</summary>
    public const ushort ReservationConflict = 0x083;

    /// <summary>NVM: a format is going on.</summary>
    public const ushort FormatInProgress = 0x084;

    /// <summary>Command specific: the completion queue is not there.</summary>
    public const ushort InvalidCompletionQueue = 0x100;

    /// <summary>Command specific: the queue's identifier cannot be had.</summary>
    public const ushort InvalidQueueId = 0x101;

    /// <summary>Command specific: the queue's size cannot be had.</summary>
    public const ushort InvalidQueueSize = 0x102;

    /// <summary>Command specific, NVM: blocks that may only be read.</summary>
    public const ushort WriteToReadOnlyRange = 0x182;

    /// <summary>Media: a block could not be written.</summary>
    public const ushort WriteFault = 0x280;

    /// <summary>Media: a block could not be read.</summary>
    public const ushort UnrecoveredRead = 0x281;

    /// <summary>Media: the guard does not fit the data.</summary>
    public const ushort GuardCheckError = 0x282;

    /// <summary>Media: the application tag does not fit.</summary>
    public const ushort ApplicationTagCheckError = 0x283;

    /// <summary>Media: the reference tag does not fit.</summary>
    public const ushort ReferenceTagCheckError = 0x284;

    /// <summary>Media: a comparison found a difference.</summary>
    public const ushort CompareFailure = 0x285;

    /// <summary>Media: this user may not.</summary>
    public const ushort AccessDenied = 0x286;

    /// <summary>Media: a block that is deallocated, where reading such is an error.</summary>
    public const ushort DeallocatedBlock = 0x287;

    /// <summary>Media: the end-to-end check of storage found a fault.</summary>
    public const ushort StorageTagCheckError = 0x288;

    /// <summary>Path related: the host gave up.</summary>
    public const ushort AbortedByHost = 0x371;

    /// <summary>Type and code, without what says whether to try again.</summary>
    public ushort Code => (ushort)(Value & CodeMask);

    /// <summary>SCT: generic, command specific, media, path, or the vendor's own.</summary>
    public int Type => Value >> 8 & 7;

    /// <summary>Whether the command was done.</summary>
    public bool IsSuccess => (Value & CodeMask) == 0;

    /// <summary>DNR: the same command would fail again.</summary>
    public bool DoNotRetry => (Value >> 14 & 1) != 0;

    /// <inheritdoc/>
    public override string ToString() => $"status type {Type}, code 0x{Value & 0xFF:x2}{(DoNotRetry ? ", not to be retried" : "")}";
}
