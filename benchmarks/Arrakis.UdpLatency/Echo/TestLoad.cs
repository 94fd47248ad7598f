namespace Arrakis.UdpLatency.Echo;

/// <summary>What the tester sends: a closed loop, or requests at random times of a mean rate.</summary>
internal sealed record TestLoad
{
    /// <summary>The most requests under way in an open loop: half of a ring, so that no ring overflows before a request waits.</summary>
    private const int OpenLoopBound = 128;

    /// <summary>Requests under way at once; in an open loop the most.</summary>
    public required int InFlight { get; init; }

    /// <summary>Of an open loop.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>Percent of saturation, of an open loop.</summary>
    public int? Percent { get; init; }

    /// <summary>Seed of an open loop's arrivals.</summary>
    public int Seed { get; init; } = 1;

    public static TestLoad Closed(int inFlight) => new() { InFlight = inFlight };

    public static TestLoad Open(int percent, double saturation, int seed) =>
        new() { InFlight = OpenLoopBound, Percent = percent, RequestsPerSecond = Math.Round(saturation * percent / 100), Seed = seed };

    public override string ToString() => Percent is { } percent ? $"open loop at {percent} %" : $"{InFlight} in flight";
}
