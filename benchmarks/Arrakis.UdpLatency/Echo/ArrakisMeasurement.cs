using Arrakis.Contract.Control;
using Arrakis.Native.Threads;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Processes;
using Arrakis.UdpLatency.Report;
using Arrakis.Wire;

namespace Arrakis.UdpLatency.Echo;

/// <summary>UDP echo through device, rings and one of the APIs; the client is the device's tester port.</summary>
internal sealed class ArrakisMeasurement : IAsyncDisposable
{
    private readonly MeasurementPlan _plan;
    private readonly DaemonSession _daemon;
    private readonly string _api;
    private readonly ChildProcess _server;
    private readonly EchoReady _ready;

    private ArrakisMeasurement(MeasurementPlan plan, DaemonSession daemon, string api, ChildProcess server, EchoReady ready)
    {
        _plan = plan;
        _daemon = daemon;
        _api = api;
        _server = server;
        _ready = ready;
    }

    /// <summary>Starts a server with one of the APIs.</summary>
    public static async Task<ArrakisMeasurement> StartAsync(MeasurementPlan plan, DaemonSession daemon, string api, CancellationToken cancellation)
    {
        var order = new EchoOrder
        {
            ControlSocket = daemon.ControlSocket,
            Device = DaemonSetup.Device,
            Address = DemoNetwork.WithPrefix(DemoNetwork.Server),
            Port = DemoNetwork.EchoPort,
            Core = plan.ServerCore,
            Spin = true,
        };
        ChildProcess server = Role.Start(api == Apis.Native ? Roles.NativeEcho : Roles.SocketEcho, order, RoleJson.Default.EchoOrder);
        try
        {
            EchoReady ready = await server.AnswerAsync(RoleJson.Default.EchoReady, MeasurementPlan.StartTimeout, cancellation);
            return new ArrakisMeasurement(plan, daemon, api, server, ready);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Measures; the row, and how many requests had no reply.</summary>
    public async Task<(LatencyRow Row, long Lost)> MeasureAsync(int inFlight, CancellationToken cancellation)
    {
        var plan = new TestPlan
        {
            TargetMac = MacAddress.Parse(_ready.Mac, null),
            Target = Ipv4Address.Parse(DemoNetwork.Server, null),
            TargetPort = DemoNetwork.EchoPort,
            Source = Ipv4Address.Parse(DemoNetwork.Tester, null),
            PayloadLength = _plan.PayloadLength,
            InFlight = inFlight,
            WarmupMilliseconds = _plan.WarmupMilliseconds,
            DurationMilliseconds = _plan.DurationMilliseconds,
        };
        using var systemCalls = new SystemCallCounter(_ready.Thread);
        long before = systemCalls.Count;
        TestResult result = await _daemon.Client.RunTestAsync(DaemonSetup.Device, plan, cancellation).AsTask().WaitAsync(_plan.RunTimeout, cancellation);
        long calls = systemCalls.Count - before;
        _server.ThrowIfExited();
        var measured = new Measurement(
            result.Received,
            result.Lost,
            result.Corrupt,
            result.Seconds,
            result.RoundTrip.P50,
            result.RoundTrip.P99,
            result.RoundTrip.P999,
            (double)calls / Math.Max(1, result.Received));
        return (LatencyRow.From(Paths.Arrakis, _api, inFlight, measured), result.Lost);
    }

    /// <summary>Ends the server; its binding is released.</summary>
    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
