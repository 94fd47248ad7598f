namespace Arrakis.UdpLatency.Report;

/// <summary>What every run of one report has in common, so that its rows can be compared.</summary>
internal sealed record MeasurementPlan
{
    /// <summary>Time that a process has to say that it is ready.</summary>
    public static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Time that a probe has for all its datagrams.</summary>
    public static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(45);

    /// <summary>Requests under way at once, one row for each.</summary>
    public static readonly IReadOnlyList<int> InFlight = [1, 64];

    /// <summary>Core of the client: the kernel client's thread, or the device whose tester port is the client.</summary>
    public int ClientCore { get; init; }

    /// <summary>Core of the serving thread.</summary>
    public int ServerCore { get; init; } = 1;

    /// <summary>Bytes of UDP payload.</summary>
    public int PayloadLength { get; init; } = 32;

    /// <summary>Requests are sent for so long before the measurement.</summary>
    public int WarmupMilliseconds { get; init; } = 500;

    /// <summary>How long a run measures.</summary>
    public int DurationMilliseconds { get; init; } = 2000;

    /// <summary>The echo server that was published with NativeAOT; null where none was.</summary>
    public string? NativeAotServer { get; init; }

    /// <summary>Time after which a run counts as hung.</summary>
    public TimeSpan RunTimeout => TimeSpan.FromMilliseconds(WarmupMilliseconds + DurationMilliseconds) + StartTimeout;
}
