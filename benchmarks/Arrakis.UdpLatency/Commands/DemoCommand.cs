using System.Diagnostics;
using System.Globalization;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Echo;
using Arrakis.UdpLatency.Kernel;
using Arrakis.UdpLatency.Machine;
using Arrakis.UdpLatency.Probes;
using Arrakis.UdpLatency.Processes;
using Arrakis.UdpLatency.Report;
using Spectre.Console;

namespace Arrakis.UdpLatency.Commands;

/// <summary>The demo: what it shows, in order.</summary>
internal static class DemoCommand
{
    private const int Pings = 5;
    private const int Binds = 20;
    private const int Seed = 7;

    public static async Task RunAsync(Session session, string output, bool quick, CancellationToken cancellation)
    {
        Progress.Title("The rings at work");
        await ShowAsync(session, datagrams: quick ? 200 : 2000, cancellation);

        Progress.Title("The measurement: client and server on a core each");
        List<LatencyRow> rows = [];
        KernelBaseline kernel = await KernelBaseline.CreateAsync(session.Plan, session.Teardown, cancellation);
        await KernelRun.MeasureAsync(kernel, rows, cancellation);
        await ArrakisRun.MeasureAsync(session, rows, cancellation);
        ReportJson.Write(output, rows);
        AnsiConsole.Write(LatencyTable.Of(rows));
        Progress.Note($"The same figures are in {output}.");
    }

    private static async Task ShowAsync(Session session, int datagrams, CancellationToken cancellation)
    {
        // Device, server and probe share two cores here: all sleep when nothing comes.
        DaemonSession? daemon = null;
        await Progress.StepAsync("arrakisd and its software device are up", async () =>
        {
            daemon = await DaemonSession.StartAsync(session.Plan.ClientCore, "adaptive", uplink: true, session.Teardown, cancellation);
            return "";
        });
        await using DaemonSession running = daemon!;
        await Progress.StepAsync($"a virtual function bound and released {Binds} times", () => TimeBindsAsync(running.Client, cancellation));
        var order = new EchoOrder
        {
            ControlSocket = running.ControlSocket,
            Device = DaemonConfiguration.Device,
            Address = DemoNetwork.WithPrefix(DemoNetwork.Server),
            Port = DemoNetwork.EchoPort,
            Core = session.Plan.ServerCore,
            Spin = false,
        };
        await using ChildProcess server = Role.Start(Roles.SocketEcho, order, RoleJson.Default.EchoOrder);
        await Progress.StepAsync($"a .NET process serves UDP echo at {DemoNetwork.Server} port {DemoNetwork.EchoPort}", async () =>
            $"MAC {(await server.AnswerAsync(RoleJson.Default.EchoReady, MeasurementPlan.StartTimeout, cancellation)).Mac}");
        await Progress.StepAsync("the kernel's own stack reaches it through the uplink", () => ProbeByKernelAsync(session, datagrams, cancellation));
        await Progress.StepAsync("a second .NET process reaches it from a virtual function of its own", () => ProbeByBindingAsync(session, running, datagrams, cancellation));
    }

    private static async Task<string> TimeBindsAsync(ArrakisClient client, CancellationToken cancellation)
    {
        List<double> times = [];
        for (int i = 0; i < Binds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await using NicBinding nic = await client.BindNicAsync(new NicRequest { Device = DaemonConfiguration.Device }, cancellation);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return string.Create(CultureInfo.InvariantCulture, $"a bind takes {Statistics.Median(times):0.0} ms (median), {times.Max():0.0} ms at most, {times[0]:0.0} ms the first");
    }

    private static async Task<string> ProbeByKernelAsync(Session session, int datagrams, CancellationToken cancellation)
    {
        NetworkNamespace outside = await NetworkNamespace.CreateAsync("uplink", session.Teardown, cancellation);
        await outside.AdoptAsync(DaemonSession.Uplink, DemoNetwork.WithPrefix(DemoNetwork.Kernel), cancellation);
        ProbeOrder order = Order(datagrams) with { Pings = Pings };
        ProbeReport report = await ProbeAsync(Roles.KernelProbe, order, outside.Path, cancellation);
        return $"{report.PingsAnswered} of {Pings} pings answered, {Describe(report)}";
    }

    private static async Task<string> ProbeByBindingAsync(Session session, DaemonSession daemon, int datagrams, CancellationToken cancellation)
    {
        ProbeOrder order = Order(datagrams) with
        {
            ControlSocket = daemon.ControlSocket,
            Address = DemoNetwork.WithPrefix(DemoNetwork.Peer),
            Core = session.Plan.ClientCore,
        };
        return Describe(await ProbeAsync(Roles.BindingProbe, order, null, cancellation));
    }

    private static ProbeOrder Order(int datagrams) => new()
    {
        Target = DemoNetwork.Server,
        Port = DemoNetwork.EchoPort,
        Datagrams = datagrams,
        Seed = Seed,
    };

    private static async Task<ProbeReport> ProbeAsync(string role, ProbeOrder order, string? networkNamespace, CancellationToken cancellation)
    {
        await using ChildProcess probe = Role.Start(role, order, RoleJson.Default.ProbeOrder, networkNamespace);
        ProbeReport report = await probe.AnswerAsync(RoleJson.Default.ProbeReport, MeasurementPlan.ProbeTimeout, cancellation);
        return report.Fault is null && report.Echoed == order.Datagrams
            ? report
            : throw new InvalidDataException($"The echo is wrong after {report.Echoed} of {order.Datagrams} datagrams: {report.Fault}.");
    }

    private static string Describe(ProbeReport report) =>
        string.Create(CultureInfo.InvariantCulture, $"{report.Echoed:#,0} datagrams ({report.Bytes:#,0} bytes) came back byte by byte, median {report.MedianMicroseconds:0} µs");
}
