using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Sockets;
using Arrakis.Wire;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>A device in this process: its back ends speak vhost-user, and each step can be made to fail.</summary>
internal sealed class FakeDevice : INicDevice
{
    private readonly List<FakeBackEnd> _backEnds = [];

    internal FakeDevice(string name = "fake0", int functions = 4, long? rate = null, string network = "10.99.0.0/24") =>
        Options = new SoftDeviceOptions
        {
            Name = name,
            Functions = functions,
            RateBitsPerSecond = rate,
            Networks = [Ipv4Prefix.Parse(network, null)],
        };

    public NicDeviceOptions Options { get; }

    public string Kind => "soft";

    public int FunctionCount => ((SoftDeviceOptions)Options).Functions;

    public bool IsUp { get; set; } = true;

    public int? ProcessId => null;

    public int Restarts { get; set; }

    public string? Uplink => null;

    /// <summary>Ports that have an identity.</summary>
    internal Dictionary<int, PortIdentity> Ports { get; } = [];

    /// <summary>Thrown at the next configuration of a port.</summary>
    internal Exception? ConfigureFault { get; set; }

    /// <summary>Thrown at the next connect.</summary>
    internal Exception? ConnectFault { get; set; }

    /// <summary>Makes the next back ends misbehave.</summary>
    internal BackEndFault Fault { get; set; }

    /// <summary>What the next back ends offer.</summary>
    internal VirtioFeatures Features { get; set; } = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures;

    /// <summary>The queue pairs that the next back ends say they have; null where they speak of none.</summary>
    internal ulong? QueuePairs { get; set; }

    /// <summary>The back ends, in the order of their connections.</summary>
    internal IReadOnlyList<FakeBackEnd> BackEnds
    {
        get
        {
            lock (_backEnds)
            {
                return [.. _backEnds];
            }
        }
    }

    public FlowSteering? SteeringOf(int queuePairs) => FlowSteering.Even(queuePairs);

    public Task StartAsync(IDictionary<string, Descriptor> left, CancellationToken cancellation) => Task.CompletedTask;

    public Task WaitUpAsync(CancellationToken cancellation) => Task.CompletedTask;

    public Task<IDeviceSession> OpenSessionAsync(SessionRequest request, SessionContext context, CancellationToken cancellation) =>
        VhostUserSession.OpenAsync(Options.Name, Connect(), request, context, cancellation);

    public IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        VhostUserSession.Adopt(record.Grant, parts, context);

    private UnixSocket Connect()
    {
        if (ConnectFault is { } fault)
        {
            throw fault;
        }

        (UnixSocket front, UnixSocket back) = UnixSocket.Pair(UnixSocketKind.Stream);
        lock (_backEnds)
        {
            _backEnds.Add(new FakeBackEnd(back, Fault, Features, QueuePairs));
        }

        return front;
    }

    public Task ConfigurePortAsync(int function, PortIdentity identity, bool keepCounters, CancellationToken cancellation)
    {
        if (ConfigureFault is { } fault)
        {
            throw fault;
        }

        lock (Ports)
        {
            Ports[function] = identity;
        }

        return Task.CompletedTask;
    }

    public Task ClearPortAsync(int function, CancellationToken cancellation)
    {
        lock (Ports)
        {
            _ = Ports.Remove(function);
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyDictionary<string, PortCounters>> ReadCountersAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyDictionary<string, PortCounters>>(new Dictionary<string, PortCounters>());

    public Task<Contract.Control.TestResult> RunTestAsync(TestPlan plan, CancellationToken cancellation) =>
        throw new ArrakisException(ErrorCode.InvalidRequest, "No tester.", "Name another.");

    public Task StopAsync(bool keep) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (FakeBackEnd backEnd in BackEnds)
        {
            await backEnd.DisposeAsync();
        }
    }
}
