using System.Diagnostics;
using System.Globalization;
using Arrakis.Measuring.Report;
using Arrakis.Measuring.Sessions;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Kernel;
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
        RunLog.Title("The rings at work");
        await ShowAsync(session, datagrams: quick ? 200 : 2000, cancellation);

        RunLog.Title("The measurement: client and server on a core each");
        List<LatencyRow> rows = [];
        KernelBaseline kernel = await KernelBaseline.CreateAsync(session.Plan, session.Teardown, cancellation);
        await KernelRun.MeasureAsync(kernel, rows, cancellation);
        await using (DaemonSession daemon = await ArrakisRun.StartDaemonAsync(session, cancellation))
        {
            await ArrakisRun.MeasureAsync(session, daemon, [Apis.Native, Apis.UdpSocket], rows, cancellation);
        }

        ResultFile.Write(output, rows, ReportJson.Default.IReadOnlyListLatencyRow);
        AnsiConsole.Write(LatencyTable.Of(rows));
        RunLog.Note($"The same figures are in {output}.");
    }

    private static async Task ShowAsync(Session session, int datagrams, CancellationToken cancellation)
    {
        // Device, server and probe share two cores here: all sleep when nothing comes.
        DaemonSession? daemon = null;
        await RunLog.StepAsync("arrakisd and its software device are up", async () =>
        {
            daemon = await DaemonSession.StartAsync(session.Plan.ClientCore, "adaptive", uplink: true, session.Teardown, cancellation);
            return "";
        });
        await using DaemonSession running = daemon!;
        try
        {
            await UseAsync(session, running, datagrams, cancellation);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            RunLog.Warn($"The daemon's log:\n{running.Log}");
            throw;
        }
    }

    private static async Task UseAsync(Session session, DaemonSession running, int datagrams, CancellationToken cancellation)
    {
        await RunLog.StepAsync($"a virtual function bound and released {Binds} times", () => TimeBindsAsync(running.Client, cancellation));
        string[] options =
        [
            "--socket", running.ControlSocket, "--device", DaemonSetup.Device, "--address", DemoNetwork.WithPrefix(DemoNetwork.Server),
            "--port", Number(DemoNetwork.EchoPort), "--core", Number(session.Plan.ServerCore),
        ];
        await using ChildProcess server = ChildProcess.Start("UdpEcho", null, Programs.UdpEcho, options, ChildEnding.Signal);
        await RunLog.StepAsync("samples/UdpEcho serves", () => server.ReadLineAsync(MeasurementPlan.StartTimeout, cancellation));
        await RunLog.StepAsync("the kernel's own stack reaches it through the uplink", () => ProbeByKernelAsync(session, datagrams, cancellation));
        await RunLog.StepAsync("samples/UdpPing, a second .NET process, reaches it from a virtual function of its own", () => ProbeByBindingAsync(session, running, datagrams, cancellation));
    }

    private static async Task<string> TimeBindsAsync(ArrakisClient client, CancellationToken cancellation)
    {
        List<double> times = [];
        for (int i = 0; i < Binds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await using NicBinding nic = await client.BindNicAsync(new NicRequest { Device = DaemonSetup.Device }, cancellation);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return string.Create(CultureInfo.InvariantCulture, $"a bind takes {Statistics.Median(times):0.0} ms (median), {times.Max():0.0} ms at most, {times[0]:0.0} ms the first");
    }

    private static async Task<string> ProbeByKernelAsync(Session session, int datagrams, CancellationToken cancellation)
    {
        NetworkNamespace outside = await NetworkNamespace.CreateAsync("uplink", session.Teardown, cancellation);
        await outside.AdoptAsync(DaemonSession.Uplink, DemoNetwork.WithPrefix(DemoNetwork.Kernel), cancellation);
        var order = new ProbeOrder
        {
            Target = DemoNetwork.Server,
            Port = DemoNetwork.EchoPort,
            Datagrams = datagrams,
            Pings = Pings,
            Seed = Seed,
        };
        await using ChildProcess probe = Role.Start(Roles.KernelProbe, order, RoleJson.Default.ProbeOrder, outside.Path);
        ProbeReport report = await probe.AnswerAsync(RoleJson.Default.ProbeReport, MeasurementPlan.ProbeTimeout, cancellation);
        return report.Fault is null && report.Echoed == datagrams
            ? string.Create(CultureInfo.InvariantCulture, $"{report.PingsAnswered} of {Pings} pings answered; {report.Echoed:#,0} datagrams ({report.Bytes:#,0} bytes) came back byte by byte, median {report.MedianMicroseconds:0} µs")
            : throw new InvalidDataException($"After {report.PingsAnswered} of {Pings} pings and {report.Echoed} of {datagrams} datagrams: {report.Fault}.");
    }

    private static async Task<string> ProbeByBindingAsync(Session session, DaemonSession daemon, int datagrams, CancellationToken cancellation)
    {
        string[] options =
        [
            $"{DemoNetwork.Server}:{DemoNetwork.EchoPort}", "--socket", daemon.ControlSocket, "--device", DaemonSetup.Device,
            "--count", Number(datagrams), "--core", Number(session.Plan.ClientCore),
        ];
        await using ChildProcess probe = ChildProcess.Start("UdpPing", null, Programs.UdpPing, options, ChildEnding.Signal);
        string report = await probe.ReadLineAsync(MeasurementPlan.ProbeTimeout, cancellation);
        await probe.EndsWellAsync(cancellation);
        return report;
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
