using Arrakis.NicThroughput.FrontEnds;
using Arrakis.NicThroughput.Report;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Dpdk;
using Arrakis.Wire;
using Arrakis.Wire.Virtio;

namespace Arrakis.NicThroughput;

/// <summary>The benchmark: our ring engine and DPDK's driver in turn as front end of one back end.</summary>
internal sealed class NicBenchmark(BenchmarkPlan plan)
{
    private const string Device = "vhost0";

    /// <summary>Measures all pairs of all modes and rings.</summary>
    public async Task<IReadOnlyList<NicRow>> RunAsync(Action<string> report, CancellationToken cancellation)
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using Backend backend = await Backend.StartAsync(pages, plan.BackEndCore);
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(
            new DaemonSetup
            {
                Functions = 1,
                MoreDevices = [$$"""{ "kind": "vhost-user", "name": "{{Device}}", "networks": ["10.97.64.0/24"], "sockets": ["{{backend.Socket}}"] }"""],
            },
            cancellation);
        await using ArrakisClient client = await daemon.ConnectAsync(cancellation);
        var results = new PairResults();
        for (int pair = 1; pair <= plan.Pairs; pair++)
        {
            foreach (VirtqueueFormat ring in plan.Rings)
            {
                cancellation.ThrowIfCancellationRequested();
                await MeasureArrakisAsync(client, backend, ring, results, cancellation);
                await MeasureDpdkAsync(pages, backend, ring, results);
                report($"pair {pair} of {plan.Pairs}, {ring}: {results.Last(ring)}");
            }
        }

        return results.Summarize();
    }

    private async Task MeasureArrakisAsync(ArrakisClient client, Backend backend, VirtqueueFormat ring, PairResults results, CancellationToken cancellation)
    {
        foreach (Mode mode in plan.Modes)
        {
            await using NicBinding nic = await client.BindNicAsync(
                new NicRequest
                {
                    Device = Device,
                    Address = Ipv4Prefix.Parse("10.97.64.2/24"),
                    RingFormat = ring,
                    QueueSize = 256,
                    Buffers = 1024,

                    // So that there are flags to be read.
                    Offloads = VirtioFeatures.NetGuestChecksum,
                },
                cancellation);
            await backend.StartAsync(mode);
            Measurement measured = await Task.Run(() => new ArrakisFrontEnd(nic, plan.FrontEndCore).Run(mode, plan.Warmup, plan.Duration), cancellation);
            await backend.StopAsync();
            results.Add(mode, ring, Party.Arrakis, measured);
        }
    }

    private async Task MeasureDpdkAsync(HugePageFolder pages, Backend backend, VirtqueueFormat ring, PairResults results)
    {
        await using DpdkFrontEnd dpdk = await DpdkFrontEnd.StartAsync(pages, plan.FrontEndCore, backend.Socket, ring);
        foreach (Mode mode in plan.Modes)
        {
            results.Add(mode, ring, Party.Dpdk, await dpdk.RunAsync(mode, backend, plan.Warmup, plan.Duration));
        }
    }
}
