using System.Text.Json;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;
using Arrakis.UdpEchoServer;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Gc;
using Arrakis.UdpLatency.Processes;
using Arrakis.UdpLatency.Report;
using Arrakis.Wire;

namespace Arrakis.UdpLatency.Echo;

/// <summary>A process that echoes through the rings of a binding with one of the APIs.</summary>
internal sealed class BindingEcho : IEchoTarget
{
    // Built beside this program, as it refers to it.
    private static readonly string s_program = Path.Combine(AppContext.BaseDirectory, "Arrakis.UdpEchoServer");

    private readonly ChildProcess _server;
    private readonly EchoReady _ready;
    private readonly Task _reading;
    private TaskCompletionSource<EchoHealth> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private EchoHealth? _health;

    private BindingEcho(string api, ChildProcess server, EchoReady ready)
    {
        Api = api;
        _server = server;
        _ready = ready;
        _reading = ReadHealthAsync();
    }

    public string Api { get; }

    public MacAddress Mac => MacAddress.Parse(_ready.Mac, null);

    public Ipv4Address Address { get; } = Ipv4Address.Parse(DemoNetwork.Server, null);

    public int Thread => _ready.Thread;

    /// <summary>The server's process.</summary>
    public int ProcessId => _server.Id;

    /// <summary>Bytes of its managed heap, as it has last told; null where it has not.</summary>
    public long? ManagedHeap => Volatile.Read(ref _health)?.ManagedHeap;

    /// <summary>Starts a server with one of the APIs.</summary>
    /// <param name="plan">Names its core.</param>
    /// <param name="daemon">Gives it a binding.</param>
    /// <param name="api">The API.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <param name="setup">How its runtime is set up, and what its other threads do.</param>
    public static async Task<BindingEcho> StartAsync(
        MeasurementPlan plan,
        DaemonSession daemon,
        string api,
        CancellationToken cancellation,
        GcSetup? setup = null)
    {
        var order = new EchoOrder
        {
            ControlSocket = daemon.ControlSocket,
            Device = DaemonSetup.Device,
            Address = DemoNetwork.WithPrefix(DemoNetwork.Server),
            Port = DemoNetwork.EchoPort,
            Core = plan.ServerCore,
            Spin = true,
            IsNative = api == Apis.Native,
            Noise = setup?.Noise ?? NoiseKind.None,
            Mode = setup?.Mode ?? CollectorMode.AsConfigured,
        };
        string program = setup is { IsNativeAot: true }
            ? plan.NativeAotServer ?? throw new InvalidOperationException("No echo server was published with NativeAOT: make bench-gc publishes it.")
            : s_program;
        ChildProcess server = ChildProcess.Start($"{api} echo", null, program, [JsonSerializer.Serialize(order, EchoJson.Default.EchoOrder)], ChildEnding.Input, setup?.Environment);
        try
        {
            EchoReady ready = await server.AnswerAsync(EchoJson.Default.EchoReady, MeasurementPlan.StartTimeout, cancellation);
            return new BindingEcho(api, server, ready);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>What it tells of itself next.</summary>
    public Task<EchoHealth> NextHealthAsync(CancellationToken cancellation) =>
        Volatile.Read(ref _next).Task.WaitAsync(MeasurementPlan.StartTimeout, cancellation);

    public void ThrowIfExited() => _server.ThrowIfExited();

    /// <summary>Ends the server; its binding is released.</summary>
    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _reading;
    }

    private async Task ReadHealthAsync()
    {
        try
        {
            while (true)
            {
                EchoHealth health = await _server.AnswerAsync(EchoJson.Default.EchoHealth, Timeout.InfiniteTimeSpan, CancellationToken.None);
                Volatile.Write(ref _health, health);
                Interlocked.Exchange(ref _next, new TaskCompletionSource<EchoHealth>(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult(health);
            }
        }
        catch (Exception e) when (e is InvalidOperationException or ObjectDisposedException)
        {
            // It has ended; who asks it for anything learns why.
        }
    }
}
