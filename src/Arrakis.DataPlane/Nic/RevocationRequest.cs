using Arrakis.Contract;

namespace Arrakis;

/// <summary>The control plane asks for something back (visible revocation); past the deadline it takes the binding.</summary>
/// <param name="Kind">What is asked back.</param>
/// <param name="Units">How much of it.</param>
/// <param name="DeadlineNanoseconds">CLOCK_MONOTONIC by which it is to be back.</param>
public readonly record struct RevocationRequest(ResourceKind Kind, uint Units, long DeadlineNanoseconds);
