using Arrakis.Contract.Control;
using Arrakis.Native.Threads;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Device;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Report;
using Arrakis.Wire;

namespace Arrakis.UdpLatency.Echo;

/// <summary>UDP echo through device, rings and a server; the client is the device's tester port.</summary>
internal static class TesterMeasurement
{
    /// <summary>Measures one load on one server.</summary>
    /// <exception cref="InvalidDataException">Nothing was answered, or an answer was wrong.</exception>
    public static async Task<LatencyRow> MeasureAsync(MeasurementPlan plan, DaemonSession daemon, IEchoTarget target, TestLoad load, CancellationToken cancellation) =>
        (await MeasureWithResultAsync(plan, daemon, target, load, cancellation)).Row;

    /// <inheritdoc cref="MeasureAsync"/>
    public static async Task<(LatencyRow Row, TestResult Result)> MeasureWithResultAsync(MeasurementPlan plan, DaemonSession daemon, IEchoTarget target, TestLoad load, CancellationToken cancellation)
    {
        using var systemCalls = new SystemCallCounter(target.Thread);
        long before = systemCalls.Count;
        TestResult result = await daemon.Client.RunTestAsync(DaemonSetup.Device, Plan(plan, target, load), cancellation).AsTask().WaitAsync(plan.RunTimeout, cancellation);
        long calls = systemCalls.Count - before;
        target.ThrowIfExited();
        var measured = new Measurement(
            result.Received,
            result.Lost + result.Unsent,
            result.Corrupt,
            result.Seconds,
            result.RoundTrip.P50,
            result.RoundTrip.P99,
            result.RoundTrip.P999,
            (double)calls / Math.Max(1, result.Received),
            result.RoundTrip.P9999,
            result.RoundTrip.Max)
        {
            Distribution = result.Histogram is { } histogram ? RoundTripDistribution.Of(HistogramText.Decode(histogram)) : [],
        };
        LatencyRow row = LatencyRow.From(Paths.Arrakis, target.Api, load.InFlight, measured);
        return (row with { Tail = row.Tail! with { LoadPercent = load.Percent, OfferedPerSecond = load.RequestsPerSecond } }, result);
    }

    private static TestPlan Plan(MeasurementPlan plan, IEchoTarget target, TestLoad load) => new()
    {
        TargetMac = target.Mac,
        Target = target.Address,
        TargetPort = DemoNetwork.EchoPort,
        Source = Ipv4Address.Parse(DemoNetwork.Tester, null),
        PayloadLength = plan.PayloadLength,
        InFlight = load.InFlight,
        RequestsPerSecond = load.RequestsPerSecond,
        Arrivals = ArrivalSpacing.Poisson,
        Seed = load.Seed,
        WarmupMilliseconds = plan.WarmupMilliseconds,
        DurationMilliseconds = plan.DurationMilliseconds,
    };
}
