using System.Globalization;
using Arrakis.Contract.Device;
using Arrakis.TestBed.Device;
using Arrakis.TestBed.Processes;
using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Echo;
using Arrakis.UdpLatency.Report;
using Arrakis.Wire;

namespace Arrakis.UdpLatency.Dpdk;

/// <summary>
/// DPDK's testpmd as echo server on a virtual function of the same device: its virtio-user driver, and a forwarding mode
/// that exchanges addresses and ports. It takes its function without the daemon, which has no part in what is measured;
/// while it is not measured, it is not there, and its function is nobody's.
/// </summary>
internal sealed class TestpmdEcho : IEchoTarget
{
    private const string StartedLine = "Press enter to exit";
    private const string WorkerName = "rte-worker";
    private static int s_count;

    private readonly ChildProcess _process;
    private readonly DaemonSession _daemon;

    private TestpmdEcho(ChildProcess process, DaemonSession daemon)
    {
        _process = process;
        _daemon = daemon;
    }

    public string Api => Apis.Dpdk;

    public MacAddress Mac { get; } = MacAddress.Parse("02:00:00:00:00:d0", null);

    public Ipv4Address Address { get; } = Ipv4Address.Parse(DemoNetwork.Dpdk, null);

    public int Thread { get; private set; }

    /// <summary>Starts it.</summary>
    /// <param name="plan">Names its core.</param>
    /// <param name="daemon">Has the device.</param>
    /// <param name="pages">A mounted hugetlbfs.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public static async Task<TestpmdEcho> StartAsync(MeasurementPlan plan, DaemonSession daemon, string pages, CancellationToken cancellation)
    {
        int function = DaemonSession.LastFunction;
        string core = plan.ServerCore.ToString(CultureInfo.InvariantCulture);
        string prefix = string.Create(CultureInfo.InvariantCulture, $"arrakis{Environment.ProcessId}n{++s_count}");
        string[] arguments =
        [
            "-oL", "dpdk-testpmd", "--lcores", $"0@{core},1@{core}", "--no-pci", "--single-file-segments", "--no-telemetry",
            "--socket-mem", "64", "--huge-dir", pages, "--file-prefix", prefix,
            "--vdev", $"net_virtio_user0,path={daemon.FunctionSocket(function)},queues=1,queue_size=256",
            "--", "--forward-mode=5tswap", "--auto-start", "--total-num-mbufs=8192", "--no-lsc-interrupt",
        ];
        var server = new TestpmdEcho(ChildProcess.Start("dpdk-testpmd", null, "stdbuf", arguments, ChildEnding.Signal), daemon);
        try
        {
            _ = await HardwareTester.AskAsync<DeviceDoneReply>(
                daemon.ManagementSocket,
                new ConfigurePortRequest { Id = 1, Port = function, Mac = server.Mac, Address = server.Address },
                cancellation);
            while (!(await server._process.ReadLineAsync(MeasurementPlan.StartTimeout, cancellation)).StartsWith(StartedLine, StringComparison.Ordinal))
            {
                // What it tells of its start is not of interest.
            }

            server.Thread = FindWorker(server._process.Id);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public void ThrowIfExited() => _process.ThrowIfExited();

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        if (!_daemon.HasEnded)
        {
            _ = await HardwareTester.AskAsync<DeviceDoneReply>(
                _daemon.ManagementSocket,
                new ClearPortRequest { Id = 1, Port = DaemonSession.LastFunction },
                CancellationToken.None);
        }
    }

    private static int FindWorker(int process)
    {
        foreach (string task in Directory.EnumerateDirectories($"/proc/{process}/task"))
        {
            if (File.ReadAllText($"{task}/comm").StartsWith(WorkerName, StringComparison.Ordinal))
            {
                return int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture);
            }
        }

        throw new InvalidOperationException("dpdk-testpmd has no forwarding thread.");
    }
}
