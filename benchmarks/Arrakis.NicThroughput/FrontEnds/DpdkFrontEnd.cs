using Arrakis.TestBed.Dpdk;
using Arrakis.Wire.Rings;

namespace Arrakis.NicThroughput.FrontEnds;

/// <summary>DPDK's virtio-user driver in a testpmd, which counts its own busy cycles.</summary>
internal sealed class DpdkFrontEnd : IAsyncDisposable
{
    private readonly Testpmd _testpmd;

    private DpdkFrontEnd(Testpmd testpmd) => _testpmd = testpmd;

    public static async Task<DpdkFrontEnd> StartAsync(HugePageFolder pages, string socket, BenchmarkPlan plan, RingFormat ring) =>
        new(await Testpmd.StartAsync(
            pages,
            plan.FrontEndCore,
            $"net_virtio_user0,path={socket},queues=1,queue_size=256,packed_vq={(ring == RingFormat.Packed ? 1 : 0)}",
            "--forward-mode=rxonly",
            $"--txpkts={plan.FrameLength}",
            $"--burst={plan.BatchLength}",
            "--record-core-cycles"));

    /// <summary>Runs a mode: first to warm up, then measured.</summary>
    /// <param name="mode">The mode.</param>
    /// <param name="backend">Started when this side has, so that nothing waits in the rings.</param>
    /// <param name="warmup">How long to warm up.</param>
    /// <param name="duration">How long to measure.</param>
    public async Task<Measurement> RunAsync(Mode mode, Backend backend, TimeSpan warmup, TimeSpan duration)
    {
        _ = await _testpmd.TellAsync("set fwd " + mode switch
        {
            Mode.Receive => "rxonly",
            Mode.Transmit => "txonly",
            _ => "macswap",
        });
        _ = await _testpmd.TellAsync("start");
        await backend.StartAsync(mode);
        await Task.Delay(warmup);
        _ = await _testpmd.TellAsync("clear fwd stats all");
        _ = await _testpmd.TellAsync("show port stats 0");
        await Task.Delay(duration);

        // The rates are those since the last look.
        TestpmdStatistics rates = TestpmdStatistics.Parse(await _testpmd.TellAsync("show port stats 0"));
        double cycles = TestpmdStatistics.ParseCycles(await _testpmd.TellAsync("stop"));
        await backend.StopAsync();
        return new Measurement((mode == Mode.Receive ? rates.ReceivedPerSecond : rates.SentPerSecond) / 1e6, cycles);
    }

    public ValueTask DisposeAsync() => _testpmd.DisposeAsync();
}
