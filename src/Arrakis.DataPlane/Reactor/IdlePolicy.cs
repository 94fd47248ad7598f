namespace Arrakis;

/// <summary>What a poller does while nothing comes.</summary>
public enum IdlePolicy
{
    /// <summary>Polls on: the lowest latency, one core busy.</summary>
    Spin,

    /// <summary>Spins, then pauses between polls, then asks the device for an event and sleeps on it.</summary>
    Adaptive,
}
