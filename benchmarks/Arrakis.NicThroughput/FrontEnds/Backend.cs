using Arrakis.TestBed.Dpdk;

namespace Arrakis.NicThroughput.FrontEnds;

/// <summary>The back end that both front ends work with: one testpmd on DPDK's net_vhost.</summary>
internal sealed class Backend : IAsyncDisposable
{
    private readonly Testpmd _testpmd;

    private Backend(Testpmd testpmd, string socket)
    {
        _testpmd = testpmd;
        Socket = socket;
    }

    /// <summary>Where it listens.</summary>
    public string Socket { get; }

    public static async Task<Backend> StartAsync(HugePageFolder pages, int core, int frameLength)
    {
        string socket = Path.Combine(pages.Folder, "backend.sock");
        return new Backend(await Testpmd.StartAsync(pages, core, $"net_vhost0,iface={socket}", "--forward-mode=rxonly", $"--txpkts={frameLength}"), socket);
    }

    /// <summary>Does what a front end in a mode needs: sends, receives, or both.</summary>
    public async Task StartAsync(Mode mode)
    {
        _ = await _testpmd.TellAsync("set fwd " + mode switch
        {
            Mode.Receive => "txonly",
            Mode.Transmit => "rxonly",

            // Frames go round: what comes back is sent again.
            _ => "io",
        });
        _ = await _testpmd.TellAsync(mode == Mode.Forward ? "start tx_first 4" : "start");
    }

    public Task StopAsync() => _testpmd.TellAsync("stop");

    public ValueTask DisposeAsync() => _testpmd.DisposeAsync();
}
