using Arrakis.Contract;

namespace Arrakis.ControlPlane.Policy;

/// <summary>What a user has already.</summary>
/// <param name="VirtualFunctions">Live bindings.</param>
/// <param name="MemoryBytes">Their queue memory.</param>
/// <param name="RateBitsPerSecond">Their rates.</param>
internal readonly record struct UserUsage(int VirtualFunctions, long MemoryBytes, long RateBitsPerSecond);

/// <summary>What is asked for, as far as the policy judges it.</summary>
/// <param name="Device">The device.</param>
/// <param name="QueueSize">Descriptors in each ring.</param>
/// <param name="MemoryBytes">Queue memory.</param>
/// <param name="Rate">Wanted rate, or null.</param>
/// <param name="Mac">Wanted hardware address, or null.</param>
/// <param name="Address">Wanted address, or null.</param>
internal sealed record PolicyQuestion(
    string Device, int QueueSize, long MemoryBytes, RateSpecifier? Rate, Wire.MacAddress? Mac, Wire.Ipv4Address? Address)
{
    /// <summary>The storage area; null of a NIC's function.</summary>
    internal string? Area { get; init; }

    /// <summary>What is wanted of the storage area.</summary>
    internal AreaAccess Access { get; init; }
}

/// <summary>What the policy says.</summary>
/// <param name="Rule">The rule that allows it, or that came closest.</param>
/// <param name="Refusal">Why not; null where allowed.</param>
internal sealed record PolicyDecision(PolicyRule? Rule, ArrakisException? Refusal)
{
    /// <summary>Whether it is allowed.</summary>
    internal bool IsAllowed => Refusal is null;
}
