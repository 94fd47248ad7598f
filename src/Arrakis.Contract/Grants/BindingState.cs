namespace Arrakis.Contract;

/// <summary>A binding's state as its status page shows it.</summary>
public enum BindingState : uint
{
    /// <summary>The page is not filled in yet.</summary>
    None = 0,

    /// <summary>In use.</summary>
    Active = 1,

    /// <summary>The control plane asks for it back by a deadline (visible revocation).</summary>
    RevocationRequested = 2,

    /// <summary>Taken without asking (invisible revocation).</summary>
    Revoked = 3,

    /// <summary>Taken by force after the deadline had passed (abort protocol).</summary>
    Aborted = 4,

    /// <summary>Given back by its holder.</summary>
    Released = 5,
}

/// <summary>What a revocation takes, or took.</summary>
public enum ResourceKind : uint
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A virtual function; first is its index, count is 1.</summary>
    VirtualFunction = 1,

    /// <summary>Queue pairs, or block queues; first and count.</summary>
    QueuePairs = 2,

    /// <summary>Queue memory; first is the byte offset, count is bytes.</summary>
    QueueMemory = 3,

    /// <summary>A MAC address; first is its 48 bits, count is 1.</summary>
    MacAddress = 4,

    /// <summary>An IPv4 address; first is its 32 bits, count is the prefix length.</summary>
    Ipv4Address = 5,

    /// <summary>Rate; first is bits per second, count is the burst in bytes.</summary>
    Rate = 6,

    /// <summary>A storage area; first is its first block, count is its blocks.</summary>
    StorageArea = 7,
}

/// <summary>One entry of the repossession vector.</summary>
/// <param name="Kind">What was taken.</param>
/// <param name="First">See <see cref="ResourceKind"/>.</param>
/// <param name="Count">See <see cref="ResourceKind"/>.</param>
/// <param name="TimestampNanoseconds">CLOCK_MONOTONIC when it was taken.</param>
public readonly record struct RepossessionEntry(ResourceKind Kind, ulong First, ulong Count, long TimestampNanoseconds);
