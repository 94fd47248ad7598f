using Arrakis.Contract;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis;

/// <summary>What is wanted of a NIC. What is left out is chosen by the daemon within its policy.</summary>
public sealed record NicRequest
{
    /// <summary>The device's name in the daemon's configuration; null takes the first that the policy allows.</summary>
    public string? Device { get; init; }

    /// <summary>Address and network; null takes the first free one that the policy allows.</summary>
    public Ipv4Prefix? Address { get; init; }

    /// <summary>Hardware address, locally administered; null lets the daemon choose.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Descriptors in each ring: a power of two, 2 to 32768.</summary>
    public int QueueSize { get; init; } = 256;

    /// <summary>Whether the rings are split or packed; the device has to offer packed ones. A device that is not virtio's has a format of its own, which is not asked for.</summary>
    public RingFormat RingFormat { get; init; } = RingFormat.Split;

    /// <summary>
    /// Work to be left to the device, where it offers that and the rings can say it: <see cref="VirtioFeatures.NetChecksum"/>,
    /// <see cref="VirtioFeatures.NetGuestChecksum"/>, <see cref="VirtioFeatures.NetHostUso"/>,
    /// <see cref="VirtioFeatures.NetMergeableReceiveBuffers"/>. <see cref="Grant.Features"/> tells what came of it.
    /// </summary>
    public VirtioFeatures Offloads { get; init; } = VirtioFeatures.None;

    /// <summary>
    /// Pairs of a receive and a transmit ring, 1 to 8. Each is a <see cref="NicQueue"/>, polled by a thread or a reactor of its own: so
    /// one address is served by several cores.
    /// </summary>
    public int QueuePairs { get; init; } = 1;

    /// <summary>Packet buffers of each queue pair, receiving and sending together.</summary>
    public int Buffers { get; init; } = 2048;

    /// <summary>Sending limit; null asks for what the policy gives.</summary>
    public RateSpecifier? Rate { get; init; }

    /// <summary>Frames that the NIC may send and receive; empty means all that the policy allows.</summary>
    public IReadOnlyList<FilterRule> Filter { get; init; } = [];

    /// <summary>
    /// Called when the control plane asks for the binding back by a deadline. Disposing the binding gives it back; past
    /// the deadline it is taken by force.
    /// </summary>
    public Func<RevocationRequest, NicBinding, ValueTask>? OnRevocationRequested { get; init; }
}
