using Arrakis.Measuring.Machine;
using Arrakis.NicThroughput.FrontEnds;
using Arrakis.NicThroughput.Report;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Dpdk;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.NicThroughput;

/// <summary>The benchmark: our ring engine and DPDK's driver in turn as front end of one back end.</summary>
internal sealed class NicBenchmark(BenchmarkPlan plan)
{
    private const string Device = "vhost0";
    private const int MaxAttempts = 3;

    /// <summary>Measures all pairs of all modes and rings.</summary>
    public async Task<IReadOnlyList<NicRow>> RunAsync(Action<string> report, CancellationToken cancellation)
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using Backend backend = await Backend.StartAsync(pages, plan.BackEndCore, plan.FrameLength);
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(
            new DaemonSetup
            {
                Functions = 1,
                MoreDevices = [$$"""{ "kind": "vhost-user", "name": "{{Device}}", "networks": ["10.97.64.0/24"], "sockets": ["{{backend.Socket}}"] }"""],
            },
            cancellation);
        await using ArrakisClient client = await daemon.ConnectAsync(cancellation);
        var results = new PairResults();
        for (int run = 1; run <= plan.MaxRuns && Wanting(results).Any(); run++)
        {
            foreach (IGrouping<RingFormat, Mode> ring in Wanting(results).GroupBy(static row => row.Ring, static row => row.Mode).ToArray())
            {
                Mode[] modes = [.. ring];
                cancellation.ThrowIfCancellationRequested();

                // In turn first and second, as the machine's state may have a trend.
                if (run % 2 == 1)
                {
                    await MeasureArrakisAsync(client, backend, ring.Key, modes, results, cancellation);
                }

                await MeasureDpdkAsync(pages, backend, ring.Key, modes, results);
                if (run % 2 == 0)
                {
                    await MeasureArrakisAsync(client, backend, ring.Key, modes, results, cancellation);
                }

                foreach (Mode mode in modes)
                {
                    report(results.Last(mode, ring.Key));
                }
            }
        }

        return results.Summarize();
    }

    /// <summary>The rows that have not enough pairs yet.</summary>
    private IEnumerable<(RingFormat Ring, Mode Mode)> Wanting(PairResults results) =>
        from ring in plan.Rings
        from mode in plan.Modes
        where results.CountPairs(mode, ring) < plan.Pairs
        select (ring, mode);

    private async Task MeasureArrakisAsync(ArrakisClient client, Backend backend, RingFormat ring, IReadOnlyList<Mode> modes, PairResults results, CancellationToken cancellation)
    {
        foreach (Mode mode in modes)
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
            results.Add(mode, ring, Party.Arrakis, await InKnownStateAsync(async () =>
            {
                await backend.StartAsync(mode);
                Measurement measured = await Task.Run(() => new ArrakisFrontEnd(nic, plan.FrontEndCore, plan.BatchLength, plan.FrameLength).Run(mode, plan.Warmup, plan.Duration), cancellation);
                await backend.StopAsync();
                return measured;
            }));
        }
    }

    private async Task MeasureDpdkAsync(HugePageFolder pages, Backend backend, RingFormat ring, IReadOnlyList<Mode> modes, PairResults results)
    {
        await using DpdkFrontEnd dpdk = await DpdkFrontEnd.StartAsync(pages, backend.Socket, plan, ring);
        foreach (Mode mode in modes)
        {
            results.Add(mode, ring, Party.Dpdk, await InKnownStateAsync(() => dpdk.RunAsync(mode, backend, plan.Warmup, plan.Duration)));
        }
    }

    // Nobody polls before and after a run: both cores are free to be looked at.
    private async Task<Measurement> InKnownStateAsync(Func<Task<Measurement>> run)
    {
        (Measurement measured, MachineState state) = await SteadyRun.MakeAsync(plan.FrontEndCore, plan.BackEndCore, MaxAttempts, _ => run());
        return measured with { State = state };
    }
}
