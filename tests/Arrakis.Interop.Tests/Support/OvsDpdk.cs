using System.Globalization;
using Arrakis.TestBed.Dpdk;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;

namespace Arrakis.Interop.Tests.Support;

/// <summary>
/// Open vSwitch with its DPDK data path, database and sockets in a folder of its own: a bridge with a vhost-user port that
/// listens, and the bridge's own interface in a network namespace.
/// </summary>
internal sealed class OvsDpdk : IBackEnd
{
    private const string Switch = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
    private const string Schema = "/usr/share/openvswitch/vswitch.ovsschema";
    private const string Port = "vhost0";
    private static int s_count;

    private readonly Teardown _teardown = new();
    private readonly string _folder;
    private readonly string _prefix;
    private readonly Dictionary<string, string> _environment;
    private ChildProcess? _switch;

    private OvsDpdk(HugePageFolder pages)
    {
        _folder = pages.Folder;
        _prefix = string.Create(CultureInfo.InvariantCulture, $"arrakisovs{Environment.ProcessId}n{Interlocked.Increment(ref s_count)}");

        // These three keep it away from the system's own Open vSwitch.
        _environment = new Dictionary<string, string> { ["OVS_RUNDIR"] = _folder, ["OVS_LOGDIR"] = _folder, ["OVS_DBDIR"] = _folder };
    }

    public string Socket => Path.Combine(_folder, Port);

    public string Interface => "br0";

    public string Log => _switch?.Errors ?? "";

    private string Database => $"unix:{_folder}/db.sock";

    /// <summary>Starts it with its polling thread on a core.</summary>
    public static async Task<OvsDpdk> StartAsync(HugePageFolder pages, int core, NetworkNamespace inside)
    {
        Prerequisite.Require(Switch, "openvswitch-switch-dpdk");
        var ovs = new OvsDpdk(pages);
        try
        {
            await ovs.StartDatabaseAsync();
            await ovs.StartSwitchAsync(pages, core, inside);
            return ovs;
        }
        catch (Exception e)
        {
            string log = ovs.Log;
            await ovs.DisposeAsync();
            throw new InvalidOperationException($"Open vSwitch does not start: {e.Message}\n{log}", e);
        }
    }

    public Task StartForwardingAsync() => Task.CompletedTask;

    /// <summary>Fails the test if something is left.</summary>
    public async ValueTask DisposeAsync()
    {
        await _teardown.RunAsync();
        Assert.Empty(_teardown.Failures);
    }

    private async Task StartDatabaseAsync()
    {
        string file = Path.Combine(_folder, "conf.db");
        await Command.RunAsync("ovsdb-tool", ["create", file, Schema], TestContext.Current.CancellationToken);
        ChildProcess database = ChildProcess.Start(
            "ovsdb-server", null, "ovsdb-server", [file, $"--remote=p{Database}", $"--unixctl={_folder}/ovsdb-server.ctl"], ChildEnding.Signal, _environment);
        _teardown.Add("end ovsdb-server", () => database.DisposeAsync().AsTask());
        await Waiting.UntilAsync(
            () =>
            {
                database.ThrowIfExited();
                return File.Exists(Path.Combine(_folder, "db.sock"));
            },
            () => $"ovsdb-server does not listen: {database.Errors}");
        await ConfigureAsync("--no-wait", "init");
    }

    private async Task StartSwitchAsync(HugePageFolder pages, int core, NetworkNamespace inside)
    {
        string mask = string.Create(CultureInfo.InvariantCulture, $"0x{1 << core:x}");
        await ConfigureAsync(
            "--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true", $"other_config:dpdk-lcore-mask={mask}", $"other_config:pmd-cpu-mask={mask}",
            "other_config:dpdk-socket-mem=128", "other_config:dpdk-socket-limit=256", $"other_config:dpdk-hugepage-dir={pages.Pages}",
            $"other_config:dpdk-extra=\"--no-pci --no-telemetry --single-file-segments --file-prefix={_prefix}\"");
        _teardown.Add("delete DPDK's runtime files", () => DpdkRuntime.Delete(_prefix));
        _switch = ChildProcess.Start(
            "ovs-vswitchd", inside.Path, Switch, [Database, $"--unixctl={_folder}/ovs-vswitchd.ctl", $"--pidfile={_folder}/ovs-vswitchd.pid"], ChildEnding.Signal, _environment);
        _teardown.Add("end ovs-vswitchd", () => _switch.DisposeAsync().AsTask());
        await ConfigureAsync("add-br", Interface, "--", "set", "Bridge", Interface, "datapath_type=netdev");
        await ConfigureAsync("add-port", Interface, Port, "--", "set", "Interface", Port, "type=dpdkvhostuser");
        await Waiting.UntilAsync(
            () =>
            {
                _switch.ThrowIfExited();
                return File.Exists(Socket);
            },
            () => $"Open vSwitch does not listen: {Log}");
    }

    // Waits until the switch has done it, unless told otherwise.
    private Task ConfigureAsync(params string[] arguments) =>
        Command.RunAsync("ovs-vsctl", [$"--db={Database}", "--timeout=60", .. arguments], TestContext.Current.CancellationToken);
}
