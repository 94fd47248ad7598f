using Arrakis.Contract.Device;
using Arrakis.TestBed.Device;
using Arrakis.TestBed.Dpdk;
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
    private readonly DaemonSession _daemon;
    private Testpmd? _testpmd;

    private TestpmdEcho(DaemonSession daemon) => _daemon = daemon;

    public string Api => Apis.Dpdk;

    public MacAddress Mac { get; } = MacAddress.Parse("02:00:00:00:00:d0", null);

    public Ipv4Address Address { get; } = Ipv4Address.Parse(DemoNetwork.Dpdk, null);

    public int Thread => _testpmd!.ForwardingThread;

    /// <summary>Starts it.</summary>
    /// <param name="plan">Names its core.</param>
    /// <param name="daemon">Has the device.</param>
    /// <param name="pages">Its hugepages.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public static async Task<TestpmdEcho> StartAsync(MeasurementPlan plan, DaemonSession daemon, HugePageFolder pages, CancellationToken cancellation)
    {
        int function = DaemonSession.LastFunction;
        var server = new TestpmdEcho(daemon);
        try
        {
            _ = await HardwareTester.AskAsync<DeviceDoneReply>(
                daemon.ManagementSocket,
                new ConfigurePortRequest { Id = 1, Port = function, Mac = server.Mac, Address = server.Address },
                cancellation);
            server._testpmd = await Testpmd.StartAsync(
                pages,
                plan.ServerCore,
                $"net_virtio_user0,path={daemon.FunctionSocket(function)},queues=1,queue_size=256",
                "--forward-mode=5tswap");
            _ = await server._testpmd.TellAsync("start");
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public void ThrowIfExited() => _testpmd!.ThrowIfExited();

    public async ValueTask DisposeAsync()
    {
        if (_testpmd is not null)
        {
            await _testpmd.DisposeAsync();
        }

        if (!_daemon.HasEnded)
        {
            _ = await HardwareTester.AskAsync<DeviceDoneReply>(
                _daemon.ManagementSocket,
                new ClearPortRequest { Id = 1, Port = DaemonSession.LastFunction },
                CancellationToken.None);
        }
    }
}
