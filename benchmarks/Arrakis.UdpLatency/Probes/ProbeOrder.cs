namespace Arrakis.UdpLatency.Probes;

/// <summary>What a probe is to send.</summary>
internal sealed record ProbeOrder
{
    public required string Target { get; init; }

    public required ushort Port { get; init; }

    public required int Datagrams { get; init; }

    public int Pings { get; init; }

    /// <summary>Seed of sizes and contents.</summary>
    public required int Seed { get; init; }
}

/// <summary>What a probe saw.</summary>
/// <param name="PingsAnswered">ICMP echo replies.</param>
/// <param name="Echoed">Datagrams that came back, every byte as sent.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="MedianMicroseconds">Median round trip of a datagram.</param>
/// <param name="Fault">What was wrong first; null where nothing was.</param>
internal sealed record ProbeReport(int PingsAnswered, int Echoed, long Bytes, double MedianMicroseconds, string? Fault);
