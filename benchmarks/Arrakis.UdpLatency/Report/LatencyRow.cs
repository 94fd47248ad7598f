using System.Text.Json.Serialization;
using Arrakis.Measuring.Machine;

namespace Arrakis.UdpLatency.Report;

/// <summary>One row of the demo's table.</summary>
/// <param name="Path">Which way requests take: one of <see cref="Paths"/>.</param>
/// <param name="Api">What serves them: one of <see cref="Apis"/>.</param>
/// <param name="InFlight">Requests under way at once.</param>
/// <param name="P50">Median round trip in microseconds.</param>
/// <param name="P99">99th percentile in microseconds.</param>
/// <param name="P999">99.9th percentile in microseconds.</param>
/// <param name="RequestsPerSecond">Requests answered in a second.</param>
/// <param name="SystemCallsPerRequest">System calls of the serving thread for each request.</param>
internal sealed record LatencyRow(
    [property: JsonPropertyName("path")] string Path,
    [property: JsonPropertyName("api")] string Api,
    [property: JsonPropertyName("in_flight")] int InFlight,
    [property: JsonPropertyName("p50_us")] double P50,
    [property: JsonPropertyName("p99_us")] double P99,
    [property: JsonPropertyName("p999_us")] double P999,
    [property: JsonPropertyName("rps")] double RequestsPerSecond,
    [property: JsonPropertyName("syscalls_per_request")] double SystemCallsPerRequest)
{
    /// <summary>What only the benchmark reports.</summary>
    [JsonIgnore]
    public LatencyTail? Tail { get; init; }

    /// <summary>How far apart the cores were meanwhile; zeros for kernel sockets, whose round trips are far longer than that.</summary>
    [JsonIgnore]
    public MachineState State { get; init; }

    /// <summary>Makes a row of a measurement.</summary>
    /// <exception cref="InvalidDataException">Nothing was answered, or an answer was wrong: there is no figure to report.</exception>
    public static LatencyRow From(string path, string api, int inFlight, Measurement measured)
    {
        if (measured.Corrupt > 0 || measured.Received == 0)
        {
            throw new InvalidDataException(
                $"{path}, {api}, {inFlight} in flight: {measured.Received} replies as sent, {measured.Corrupt} corrupt, {measured.Lost} lost.");
        }

        return new LatencyRow(
            path,
            api,
            inFlight,
            Microseconds(measured.P50),
            Microseconds(measured.P99),
            Microseconds(measured.P999),
            Math.Round(measured.Received / measured.Seconds),
            Math.Round(measured.SystemCallsPerRequest, 4))
        {
            Tail = measured.Max == 0 ? null : new LatencyTail(Microseconds(measured.P9999), Microseconds(measured.Max), measured.Lost) { Distribution = [.. measured.Distribution.Select(Microseconds)] },
        };
    }

    private static double Microseconds(long nanoseconds) => Math.Round(nanoseconds / 1000.0, 3);
}

/// <summary>What only the benchmark reports of a run.</summary>
/// <param name="P9999">99.99th percentile in microseconds.</param>
/// <param name="Max">Longest round trip in microseconds.</param>
/// <param name="Lost">Requests without a reply, or never sent.</param>
/// <param name="LoadPercent">Percent of saturation, of an open loop.</param>
/// <param name="OfferedPerSecond">Requests due in a second, of an open loop.</param>
internal sealed record LatencyTail(double P9999, double Max, long Lost, int? LoadPercent = null, double? OfferedPerSecond = null)
{
    /// <summary>Microseconds at each of <see cref="RoundTripDistribution.Percentiles"/> that there are enough round trips for.</summary>
    public IReadOnlyList<double> Distribution { get; init; } = [];
}

/// <summary>Which way requests take.</summary>
internal static class Paths
{
    public const string KernelBlocking = "kernel-veth-blocking";
    public const string KernelBusyPoll = "kernel-veth-busy-poll";
    public const string KernelBatch = "kernel-veth-recvmmsg";
    public const string Arrakis = "arrakis";
}

/// <summary>What serves requests.</summary>
internal static class Apis
{
    public const string SocketsBlocking = "sockets-blocking";
    public const string SocketsBusyPoll = "sockets-busy-poll";
    public const string SocketsBatch = "recvmmsg";
    public const string Native = "native";
    public const string UdpSocket = "udp-socket";
    public const string Dpdk = "dpdk-5tswap";
}
