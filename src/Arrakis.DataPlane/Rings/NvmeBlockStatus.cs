using Arrakis.Wire.Nvme;

namespace Arrakis.DataPlane.Rings;

/// <summary>What an NVMe status means for a block request (NVMe 2.0 §3.3.3.2.1; NVM Command Set 1.0 §3.1).</summary>
internal static class NvmeBlockStatus
{
    /// <summary>Finds the meaning. A code that no edition knew when this was written has that of its type.</summary>
    public static BlockStatus Of(NvmeStatus status) => status.Code switch
    {
        NvmeStatus.Success => BlockStatus.Success,
        NvmeStatus.LbaOutOfRange => BlockStatus.OutOfRange,
        NvmeStatus.CapacityExceeded => BlockStatus.NoSpace,
        NvmeStatus.InvalidOpcode or NvmeStatus.InvalidField or NvmeStatus.InvalidNamespace or NvmeStatus.InvalidSgl or NvmeStatus.InvalidPrpOffset => BlockStatus.Unsupported,
        NvmeStatus.NamespaceWriteProtected or NvmeStatus.WriteToReadOnlyRange => BlockStatus.ReadOnly,
        NvmeStatus.AbortedPowerLoss or NvmeStatus.AbortRequested or NvmeStatus.AbortedQueueDeleted => BlockStatus.Aborted,
        NvmeStatus.NamespaceNotReady or NvmeStatus.CommandInterrupted or NvmeStatus.TransientTransportError
            or NvmeStatus.FormatInProgress or NvmeStatus.ReservationConflict => BlockStatus.Busy,
        NvmeStatus.GuardCheckError or NvmeStatus.ApplicationTagCheckError or NvmeStatus.ReferenceTagCheckError
            or NvmeStatus.CompareFailure or NvmeStatus.StorageTagCheckError => BlockStatus.IntegrityError,
        NvmeStatus.AccessDenied => BlockStatus.ReadOnly,
        NvmeStatus.AbortedByHost => BlockStatus.Aborted,
        _ => OfType(status.Type),
    };

    private static BlockStatus OfType(int type) => type switch
    {
        1 => BlockStatus.Unsupported, // Command specific: a field that this command does not take.
        2 => BlockStatus.MediaError,
        3 => BlockStatus.Busy, // Path related: the namespace may be reached another time.
        _ => BlockStatus.DeviceFault, // Generic, the vendor's, or reserved.
    };
}
