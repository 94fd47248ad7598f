using Arrakis.TestBed.Dpdk;
using Arrakis.TestBed.Machine;

namespace Arrakis.Interop.Tests.Support;

/// <summary>Someone else's vhost-user back end, with an interface of the kernel on its other side.</summary>
internal interface IBackEnd : IAsyncDisposable
{
    /// <summary>Where it listens for front ends.</summary>
    string Socket { get; }

    /// <summary>The kernel's interface, in the namespace that it was started in.</summary>
    string Interface { get; }

    /// <summary>What there is to know when frames do not come through.</summary>
    string Log { get; }

    /// <summary>Lets it pass frames, once its front end is there.</summary>
    Task StartForwardingAsync();
}

/// <summary>Which back end.</summary>
public enum BackEndKind
{
    /// <summary>DPDK's net_vhost, in testpmd.</summary>
    NetVhost,

    /// <summary>Open vSwitch with its DPDK data path.</summary>
    OvsDpdk,
}

/// <summary>DPDK's net_vhost: testpmd passes frames between it and a TAP interface.</summary>
internal sealed class TestpmdBackEnd : IBackEnd
{
    private readonly Testpmd _testpmd;

    private TestpmdBackEnd(Testpmd testpmd, string socket)
    {
        _testpmd = testpmd;
        Socket = socket;
    }

    public string Socket { get; }

    public string Interface => "behind0";

    public string Log => _testpmd.Output;

    public static async Task<TestpmdBackEnd> StartAsync(HugePageFolder pages, int core, NetworkNamespace inside)
    {
        string socket = Path.Combine(pages.Folder, "backend.sock");
        Testpmd testpmd = await Testpmd.StartAsync(pages, core, [$"net_vhost0,iface={socket}", "net_tap0,iface=behind0"], inside, "--forward-mode=io");
        return new TestpmdBackEnd(testpmd, socket);
    }

    public Task StartForwardingAsync() => _testpmd.TellAsync("start");

    public ValueTask DisposeAsync() => _testpmd.DisposeAsync();
}
