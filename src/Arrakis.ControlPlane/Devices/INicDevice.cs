using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Wire;

namespace Arrakis.ControlPlane.Devices;

/// <summary>What a virtual function's port enforces.</summary>
internal sealed record PortIdentity(MacAddress Mac, Ipv4Address Address, IReadOnlyList<FilterRule> Filter, RateSpecifier? Rate)
{
    /// <summary>That of a binding.</summary>
    internal static PortIdentity Of(BindingRecord record)
    {
        var grant = (Grant)record.Grant;
        return new PortIdentity(grant.Mac, grant.Address.Address, record.Filter, grant.Rate);
    }
}

/// <summary>A NIC.</summary>
internal interface INicDevice : IDevice
{
    /// <summary>Its configuration.</summary>
    new NicDeviceOptions Options { get; }

    DeviceOptions IDevice.Options => Options;

    /// <summary>The kernel's interface on the uplink.</summary>
    string? Uplink { get; }

    /// <summary>How it spreads received frames over queue pairs; null where that is not known.</summary>
    FlowSteering? SteeringOf(int queuePairs);

    /// <summary>Gives a port its identity and limits.</summary>
    Task ConfigurePortAsync(int function, PortIdentity identity, bool keepCounters, CancellationToken cancellation);

    /// <summary>Takes a port's identity.</summary>
    Task ClearPortAsync(int function, CancellationToken cancellation);

    Task IDevice.ConfigureAsync(BindingRecord record, bool keepCounters, CancellationToken cancellation) =>
        ConfigurePortAsync(record.Grant.VirtualFunction, PortIdentity.Of(record), keepCounters, cancellation);

    Task IDevice.ClearAsync(int function, CancellationToken cancellation) => ClearPortAsync(function, cancellation);

    /// <summary>Runs the tester port.</summary>
    Task<TestResult> RunTestAsync(TestPlan plan, CancellationToken cancellation);
}
