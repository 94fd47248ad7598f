namespace Arrakis.Contract;

/// <summary>
/// The read-only page through which the control plane tells a holder of its binding's state. What a poller reads is
/// in the first 64 bytes, one cache line; the repossession vector follows. All fields are little-endian and aligned
/// to their size; <see cref="State"/> is written last, so who sees a state sees what belongs to it.
/// </summary>
public static class StatusPageLayout
{
    /// <summary>Bytes of the page.</summary>
    public const int Length = 4096;

    /// <summary>"ARRAKIS1", as a little-endian u64.</summary>
    public const ulong MagicValue = 0x3153_494B_4152_5241;

    /// <summary>Version of this layout.</summary>
    public const uint VersionValue = 1;

    /// <summary>u64: <see cref="MagicValue"/>.</summary>
    public const int Magic = 0;

    /// <summary>u32: <see cref="VersionValue"/>.</summary>
    public const int Version = 8;

    /// <summary>u32: the binding's generation.</summary>
    public const int Generation = 12;

    /// <summary>u32: <see cref="BindingState"/>.</summary>
    public const int State = 16;

    /// <summary>u32: how many units of <see cref="RequestedKind"/> are asked back.</summary>
    public const int RequestedUnits = 20;

    /// <summary>i64: CLOCK_MONOTONIC nanoseconds by which they are to be back.</summary>
    public const int Deadline = 24;

    /// <summary>u64: the binding.</summary>
    public const int BindingId = 32;

    /// <summary>u32: 1 while the link is up.</summary>
    public const int LinkState = 40;

    /// <summary>u32: grows by one each time the link goes down.</summary>
    public const int LinkEpoch = 44;

    /// <summary>u32: <see cref="ResourceKind"/> of what is asked back.</summary>
    public const int RequestedKind = 48;

    /// <summary>u32: entries of the repossession vector.</summary>
    public const int RepossessionCount = 52;

    /// <summary>First byte of the repossession vector.</summary>
    public const int RepossessionVector = 64;

    /// <summary>Bytes of an entry: kind u32, padding u32, first u64, count u64, timestamp i64.</summary>
    public const int RepossessionEntryLength = 32;

    /// <summary>Entries that fit in the page; further ones are not recorded.</summary>
    public const int MaxRepossessionEntries = 64;
}
