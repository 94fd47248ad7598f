using System.Globalization;
using Arrakis.Contract.Control;
using Arrakis.Measuring.Report;
using Arrakis.Measuring.Sessions;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Device;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Echo;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Soak;

/// <summary>One soak: half of saturation on a native echo server, in intervals, while neighbours come and go.</summary>
internal sealed class SoakRun
{
    private const int SaturatingInFlight = 64;
    private const int Percent = 50;

    private readonly MeasurementPlan _plan;
    private readonly DaemonSession _daemon;
    private readonly BindingEcho _server;
    private readonly List<MemoryTrend> _memory = [];
    private readonly List<LatencyRow> _rows = [];
    private readonly Dictionary<string, int> _processes;
    private readonly SoakTotals _totals = new();

    private SoakRun(MeasurementPlan plan, DaemonSession daemon, BindingEcho server, int device)
    {
        _plan = plan;
        _daemon = daemon;
        _server = server;
        _processes = new() { ["daemon"] = daemon.ProcessId, ["device"] = device, ["server"] = server.ProcessId };
    }

    /// <summary>Soaks.</summary>
    /// <param name="plan">Its duration is that of an interval.</param>
    /// <param name="daemon">A daemon of our own.</param>
    /// <param name="time">How long.</param>
    /// <param name="cancellation">Ends it early, without a report.</param>
    public static async Task<SoakReport> RunAsync(MeasurementPlan plan, DaemonSession daemon, TimeSpan time, CancellationToken cancellation)
    {
        await using BindingEcho server = await BindingEcho.StartAsync(plan, daemon, Apis.Native, cancellation);
        DeviceDescription device = (await daemon.Client.ListDevicesAsync(cancellation)).Single(static device => device.Name == DaemonSetup.Device);
        return await new SoakRun(plan, daemon, server, device.ProcessId!.Value).RunAsync(time, cancellation);
    }

    private async Task<SoakReport> RunAsync(TimeSpan time, CancellationToken cancellation)
    {
        LatencyRow full = await TesterMeasurement.MeasureAsync(_plan, _daemon, _server, TestLoad.Closed(SaturatingInFlight), cancellation);
        RunLog.Note(string.Create(CultureInfo.InvariantCulture, $"Saturation: {full.RequestsPerSecond:#,0} requests/s. {Percent} % of it for {time.TotalSeconds:0} s, while neighbours are bound and revoked."));
        IReadOnlyDictionary<string, long> before = await ReadDropsAsync(cancellation);
        var churn = new NeighbourChurn(_daemon.ControlSocket, seed: 1);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var neighbours = Task.Run(() => churn.RunAsync(over.Token), CancellationToken.None);
        long start = TimeProvider.System.GetTimestamp();
        double elapsed = 0;
        for (int interval = 1; elapsed < time.TotalSeconds; interval++)
        {
            await MeasureAsync(TestLoad.Open(Percent, full.RequestsPerSecond, interval), cancellation);
            elapsed = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
            Sample(elapsed);
            LatencyRow row = _rows[^1];
            RunLog.Note(string.Create(
                CultureInfo.InvariantCulture,
                $"{elapsed,7:0.0} s  {row.RequestsPerSecond,11:#,0}/s  p50 {row.P50:0.00}  p99 {row.P99:0.00}  p99.9 {row.P999:0.00}  max {row.Tail!.Max:0} µs  lost {_totals.Lost}  unsent {_totals.Unsent}  neighbours {churn.Bound}, revoked {churn.Revoked}"));
            if (neighbours.IsCompleted)
            {
                await neighbours; // It fails here with what went wrong.
            }
        }

        await over.CancelAsync();
        await neighbours;
        return await ReportAsync(full.RequestsPerSecond, elapsed, before, churn, cancellation);
    }

    private async Task MeasureAsync(TestLoad load, CancellationToken cancellation)
    {
        (LatencyRow row, TestResult result) = await TesterMeasurement.MeasureWithResultAsync(_plan, _daemon, _server, load, cancellation);
        _rows.Add(row);
        _totals.Add(result);
    }

    private async Task<SoakReport> ReportAsync(double saturation, double seconds, IReadOnlyDictionary<string, long> before, NeighbourChurn churn, CancellationToken cancellation)
    {
        IReadOnlyDictionary<string, long> drops = SoakTotals.Between(before, await ReadDropsAsync(cancellation));
        return new SoakReport
        {
            Seconds = Math.Round(seconds, 1),
            Saturation = saturation,
            Offered = Math.Round(saturation * Percent / 100),
            Sent = _totals.Sent,
            Received = _totals.Received,
            Lost = _totals.Lost,
            Unsent = _totals.Unsent,
            Corrupt = _totals.Corrupt,
            Drops = drops,
            Unexplained = _totals.Unexplained(drops),
            P50 = Statistics.Median(_rows.Select(static row => row.P50)),
            WorstP999 = _rows.Max(static row => row.P999),
            Max = _rows.Max(static row => row.Tail!.Max),
            NeighboursBound = churn.Bound,
            NeighboursRevoked = churn.Revoked,
            Memory = [.. _memory.Select(static trend => new SoakMemory(trend.Name, Kib(trend.First), Kib(trend.Last), Kib(trend.SlopePerMinute), trend.IsFlat))],
            Faults = _totals.Faults(drops, churn.Bound, churn.Revoked, _memory),
        };
    }

    private static double Kib(double bytes) => Math.Round(bytes / 1024, 1);

    private void Sample(double seconds)
    {
        foreach ((string name, int process) in _processes)
        {
            Trend(name).Add(seconds, ResidentBytes(process));
        }

        if (_server.ManagedHeap is { } heap)
        {
            Trend("server's managed heap").Add(seconds, heap);
        }
    }

    private MemoryTrend Trend(string name)
    {
        if (_memory.Find(trend => trend.Name == name) is { } known)
        {
            return known;
        }

        _memory.Add(new MemoryTrend(name));
        return _memory[^1];
    }

    private static long ResidentBytes(int process)
    {
        string line = File.ReadLines($"/proc/{process}/status").First(static line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    /// <summary>Drops on the ports that the requests pass, by port and reason.</summary>
    private async Task<IReadOnlyDictionary<string, long>> ReadDropsAsync(CancellationToken cancellation)
    {
        IReadOnlyList<BindingDescription> bindings = await _daemon.Client.ListBindingsAsync(cancellation);
        int function = bindings.Single(binding => binding.Mac == _server.Mac).VirtualFunction;
        IReadOnlyDictionary<string, PortCounters> ports = await HardwareTester.ReadCountersAsync(_daemon.ManagementSocket, cancellation);
        return ((string[])[$"vf{function}", "tester"])
            .SelectMany(port => ports[port].Drops.Select(drop => (Name: $"{port} {drop.Key}", drop.Value)))
            .ToDictionary(static drop => drop.Name, static drop => drop.Value);
    }
}
