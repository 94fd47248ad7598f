using Arrakis.Wire;

namespace Arrakis.Contract.Control;

/// <summary>
/// What a tester port sends: UDP datagrams. In a closed loop a request follows the reply before it; in an open loop
/// requests are due at a rate, whether or not replies come, and latency counts from when a request was due.
/// </summary>
public sealed record TestPlan
{
    /// <summary>Where to; the switch delivers to the port that has this MAC.</summary>
    public required MacAddress TargetMac { get; init; }

    /// <summary>Destination address.</summary>
    public required Ipv4Address Target { get; init; }

    /// <summary>Destination port.</summary>
    public required ushort TargetPort { get; init; }

    /// <summary>Source address; must be free in the network.</summary>
    public required Ipv4Address Source { get; init; }

    /// <summary>Bytes of UDP payload, 16 to 1472: a sequence number and a send time come first.</summary>
    public int PayloadLength { get; set; } = 32;

    /// <summary>Requests under way at once. In an open loop the most: what is due meanwhile is sent late, its latency counted from when it was due.</summary>
    public int InFlight { get; set; } = 1;

    /// <summary>Makes it an open loop: requests that are due in a second, 0.001 to 100,000,000; null is a closed loop.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>How the requests of an open loop are spaced.</summary>
    public ArrivalSpacing Arrivals { get; set; }

    /// <summary>Seed of random arrivals.</summary>
    public int Seed { get; set; } = 1;

    /// <summary>Requests that are sent before the measurement, or for as long as the warm-up lasts.</summary>
    public int WarmupMilliseconds { get; set; } = 200;

    /// <summary>How long to measure.</summary>
    public int DurationMilliseconds { get; set; } = 1000;

    /// <summary>Ends after so many replies, if that is sooner; zero is no limit.</summary>
    public long MaxRequests { get; init; }

    /// <summary>A request without an answer after this time is lost and sent anew.</summary>
    public int LossTimeoutMilliseconds { get; set; } = 100;
}

/// <summary>How the requests of an open loop are spaced.</summary>
public enum ArrivalSpacing
{
    /// <summary>Evenly.</summary>
    Fixed,

    /// <summary>As a Poisson process: by independent, exponentially distributed times.</summary>
    Poisson,
}

/// <summary>What a tester measured.</summary>
public sealed record TestResult
{
    /// <summary>Requests sent.</summary>
    public required long Sent { get; init; }

    /// <summary>Replies whose payload was the request's.</summary>
    public required long Received { get; init; }

    /// <summary>Requests that had no reply in time.</summary>
    public required long Lost { get; init; }

    /// <summary>Replies whose payload or addresses were wrong.</summary>
    public required long Corrupt { get; init; }

    /// <summary>Requests of an open loop that were sent late because too many were under way; their latency counts from when they were due.</summary>
    public long Delayed { get; init; }

    /// <summary>Requests of an open loop that were due but never sent, because too many were under way until the end. They are in no percentile.</summary>
    public long Unsent { get; init; }

    /// <summary>Measured time in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>Round-trip percentiles in nanoseconds: 50, 99, 99.9, 99.99 and 100.</summary>
    public required RoundTripPercentiles RoundTrip { get; init; }

    /// <summary>All round trips in nanoseconds: an HdrHistogram, compressed (V2), in base64; null where there are none.</summary>
    public string? Histogram { get; init; }
}

/// <summary>Round-trip times in nanoseconds.</summary>
/// <param name="P50">Median.</param>
/// <param name="P99">99th percentile.</param>
/// <param name="P999">99.9th percentile.</param>
/// <param name="P9999">99.99th percentile.</param>
/// <param name="Max">Longest.</param>
public sealed record RoundTripPercentiles(long P50, long P99, long P999, long P9999, long Max);
