namespace Arrakis;

/// <summary>How <see cref="NicBinding.Poll(PollOptions, PacketHandler, CancellationToken)"/> runs.</summary>
public sealed record PollOptions
{
    /// <summary>The core to keep the calling thread on while it polls; null leaves it where it is.</summary>
    public int? Core { get; init; }

    /// <summary>What to do while nothing comes.</summary>
    public IdlePolicy Idle { get; init; } = IdlePolicy.Adaptive;
}
