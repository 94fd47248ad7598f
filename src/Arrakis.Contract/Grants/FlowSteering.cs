using Arrakis.Wire.Frames;

namespace Arrakis.Contract;

/// <summary>
/// How a device spreads received frames over queue pairs (receive side scaling, virtio 1.2 §5.1.6.5.7.1): the Toeplitz hash of
/// addresses and ports, masked, is the place in a table of pairs. What has no IP addresses comes to the first pair.
/// </summary>
public sealed record FlowSteering
{
    /// <summary>The shortest key: one bit for each of an IPv4 flow's 96, and 31 more.</summary>
    public const int MinKeyLength = 16;

    /// <summary>The longest key in bytes.</summary>
    public const int MaxKeyLength = 64;

    /// <summary>The longest table.</summary>
    public const int MaxTableLength = 512;

    /// <summary>The hash's key, as hexadecimal digits.</summary>
    public required string ToeplitzKey { get; init; }

    /// <summary>Queue pairs by the low bits of the hash: a power of two of entries.</summary>
    public required IReadOnlyList<int> Table { get; init; }

    /// <summary>The steering of <see cref="SteeringTable"/>, which the software device has.</summary>
    public static FlowSteering Even(int queuePairs) => new()
    {
        ToeplitzKey = Convert.ToHexStringLower(ToeplitzHash.Key),
        Table = [.. Enumerable.Range(0, SteeringTable.Length).Select(entry => SteeringTable.PairOf(entry, queuePairs))],
    };
}
