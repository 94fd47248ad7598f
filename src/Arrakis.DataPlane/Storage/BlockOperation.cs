namespace Arrakis;

/// <summary>What a block request does.</summary>
public enum BlockOperation
{
    /// <summary>Device to buffer.</summary>
    Read,

    /// <summary>Buffer to device.</summary>
    Write,

    /// <summary>Makes all completed writes durable.</summary>
    Flush,

    /// <summary>Gives blocks back.</summary>
    Discard,

    /// <summary>Makes blocks read as zeros.</summary>
    WriteZeroes,
}

/// <summary>How a block request ended, whatever device it was.</summary>
public enum BlockStatus
{
    /// <summary>Done.</summary>
    Success,

    /// <summary>Blocks outside of what the binding may address.</summary>
    OutOfRange,

    /// <summary>The device does not know the operation, or not with these fields.</summary>
    Unsupported,

    /// <summary>A write, but the device lets this binding read only.</summary>
    ReadOnly,

    /// <summary>The medium could not be read or written at this place.</summary>
    MediaError,

    /// <summary>What the medium gave back did not pass the device's own check.</summary>
    IntegrityError,

    /// <summary>The device ran out of room.</summary>
    NoSpace,

    /// <summary>The command was ended: by an abort, a reset, or because the power was about to go.</summary>
    Aborted,

    /// <summary>Not now; the same request may succeed later.</summary>
    Busy,

    /// <summary>The device failed in a way of its own.</summary>
    DeviceFault,

    /// <summary>The device did not answer in time. Whether a write was done is not known.</summary>
    TimedOut,
}
