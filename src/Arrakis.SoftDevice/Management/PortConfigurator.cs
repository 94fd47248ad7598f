using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Native;
using Arrakis.Native.Net;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Ports.Tester;
using Arrakis.SoftDevice.Ports.Uplink;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire;

namespace Arrakis.SoftDevice.Management;

/// <summary>Checks what the daemon asks of the ports and has the polling thread do it. Control thread only.</summary>
internal sealed class PortConfigurator(DeviceCore core, PollingLoop loop) : IDisposable
{
    private const string TapLink = "/dev/net/tun";
    private const int MaxFilterRules = 64;
    private const long MaxBitsPerSecond = 1_000_000_000_000;

    private TapWire? _wire;
    private UplinkWatcher? _watcher;

    /// <summary>Gives a virtual function its identity.</summary>
    /// <exception cref="ArrakisException">A field makes no sense, or an address is another's.</exception>
    public void Configure(ConfigurePortRequest request)
    {
        VfPort port = Port(request.Port);
        Require(request.Mac.IsUnicast, $"{request.Mac} is not the MAC of one station.", "Give a unicast MAC.");
        Require(request.Address.IsUnicast, $"{request.Address} is not the address of one host.", "Give a unicast address.");
        Require(
            request.Rate is null or { BitsPerSecond: >= 1 and <= MaxBitsPerSecond, BurstBytes: >= 0 },
            "The rate is out of range.",
            $"Give 1 to {MaxBitsPerSecond} bits per second, and a burst that is not negative.");
        Require(request.Filter.Count <= MaxFilterRules, $"The filter has {request.Filter.Count} rules.", $"Give at most {MaxFilterRules}.");
        RequireFree(port, request.Mac, request.Address);
        var identity = new PortIdentity(request.Mac, request.Address, new FrameFilter(request.Filter));
        loop.Invoke(() =>
        {
            port.Configure(identity, request.Rate, core.Clock.Now);
            core.Switch.UpdateGranted();
            if (!request.KeepCounters)
            {
                port.Statistics.Clear();
            }
        });
    }

    /// <summary>Takes a virtual function's identity.</summary>
    /// <exception cref="ArrakisException">There is no such function.</exception>
    public void Clear(ClearPortRequest request)
    {
        VfPort port = Port(request.Port);
        loop.Invoke(() =>
        {
            port.Configure(null, null, core.Clock.Now);
            core.Switch.UpdateGranted();
        });
    }

    /// <summary>Connects the uplink, in the place of the last.</summary>
    /// <exception cref="ArrakisException">The descriptor is not that of a TAP interface.</exception>
    public void AttachUplink(Descriptor descriptor)
    {
        if (new FileInfo($"/proc/self/fd/{descriptor.Number}").LinkTarget != TapLink)
        {
            throw new ArrakisException(ErrorCode.WrongDescriptors, "The descriptor is not that of a TAP interface.", $"Send one that was opened at {TapLink}.");
        }

        // A duplicate: the message that brought the descriptor closes its own.
        var wire = new TapWire(descriptor.Duplicate());
        DetachUplink();
        _wire = wire;
        _watcher = new UplinkWatcher(wire.Descriptor, loop.Wake);
        loop.Invoke(() => core.Uplink.Attach(_wire, _watcher));
    }

    /// <summary>Starts a test.</summary>
    /// <exception cref="ArrakisException">The plan cannot be run, or another test runs.</exception>
    public void StartTest(TestPlan plan)
    {
        TestPlanRules.Validate(plan);
        if (core.Functions.Any(port => port.Identity?.Address == plan.Source))
        {
            throw new ArrakisException(ErrorCode.AddressTaken, $"A virtual function has the address {plan.Source}.", "Give the tester another source.");
        }

        loop.Invoke(() => core.Tester.Start(plan));
    }

    /// <summary>Ends a test whose result nobody waits for.</summary>
    public void CancelTest() => loop.Invoke(core.Tester.Cancel);

    /// <summary>All counters, by port.</summary>
    public Dictionary<string, PortCounters> ReadCounters()
    {
        Dictionary<string, PortCounters> counters = core.Functions.ToDictionary(port => $"vf{port.Index}", port => port.Statistics.Read());
        counters["uplink"] = core.Uplink.Statistics.Read();
        counters["tester"] = core.Tester.Statistics.Read();
        return counters;
    }

    /// <summary>Disconnects the uplink.</summary>
    public void Dispose() => DetachUplink();

    private void DetachUplink()
    {
        if (_wire is not null)
        {
            loop.Invoke(() => core.Uplink.Attach(null, null));
            _watcher!.Dispose();
            _wire.Dispose();
            _wire = null;
        }
    }

    private VfPort Port(int index)
    {
        Require(index >= 0 && index < core.Functions.Length, $"There is no virtual function {index}.", $"This device has 0 to {core.Functions.Length - 1}.");
        return core.Functions[index];
    }

    private void RequireFree(VfPort port, MacAddress mac, Ipv4Address address)
    {
        if (mac == TesterPort.Mac || core.Functions.Any(other => other != port && other.Identity?.Mac == mac))
        {
            throw new ArrakisException(ErrorCode.MacAddressTaken, $"Another port has the MAC {mac}.", "Give another.");
        }

        if (core.Tester.IsAddress(address) || core.Functions.Any(other => other != port && other.Identity?.Address == address))
        {
            throw new ArrakisException(ErrorCode.AddressTaken, $"Another port has the address {address}.", "Give another.");
        }
    }

    private static void Require(bool condition, string cause, string remedy)
    {
        if (!condition)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, cause, remedy);
        }
    }
}
