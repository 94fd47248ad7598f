using System.Globalization;
using System.Text.RegularExpressions;
using Arrakis.TestBed.Dpdk;
using Arrakis.Wire.Virtio;

namespace Arrakis.NicThroughput.FrontEnds;

/// <summary>DPDK's virtio-user driver in a testpmd, which counts its own busy cycles.</summary>
internal sealed partial class DpdkFrontEnd : IAsyncDisposable
{
    private readonly Testpmd _testpmd;

    private DpdkFrontEnd(Testpmd testpmd) => _testpmd = testpmd;

    public static async Task<DpdkFrontEnd> StartAsync(HugePageFolder pages, int core, string socket, VirtqueueFormat ring) =>
        new(await Testpmd.StartAsync(
            pages,
            core,
            $"net_virtio_user0,path={socket},queues=1,queue_size=256,packed_vq={(ring == VirtqueueFormat.Packed ? 1 : 0)}",
            "--forward-mode=rxonly",
            "--txpkts=64",
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
        string stats = await _testpmd.TellAsync("show port stats 0");
        string cycles = await _testpmd.TellAsync("stop");
        await backend.StopAsync();
        return new Measurement(Number(mode == Mode.Receive ? Received() : Sent(), stats) / 1e6, Number(Cycles(), cycles));
    }

    public ValueTask DisposeAsync() => _testpmd.DisposeAsync();

    private static double Number(Regex pattern, string text)
    {
        Match match = pattern.Match(text);
        return match.Success
            ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"dpdk-testpmd's answer has no {pattern}:\n{text}");
    }

    [GeneratedRegex(@"Rx-pps:\s*(\d+)")]
    private static partial Regex Received();

    [GeneratedRegex(@"Tx-pps:\s*(\d+)")]
    private static partial Regex Sent();

    [GeneratedRegex(@"CPU cycles/packet=\s*([\d.]+)")]
    private static partial Regex Cycles();
}
