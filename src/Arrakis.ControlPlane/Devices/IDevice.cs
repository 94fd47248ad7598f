using System.Collections.ObjectModel;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Wire.Rings;

namespace Arrakis.ControlPlane.Devices;

/// <summary>A device that has virtual functions, of whatever kind. All calls end in bounded time, with <see cref="ErrorCode.DeviceUnavailable"/> if need be.</summary>
internal interface IDevice : IAsyncDisposable
{
    /// <summary>Its configuration.</summary>
    DeviceOptions Options { get; }

    /// <summary>Its kind, as the configuration calls it.</summary>
    string Kind { get; }

    /// <summary>Virtual functions.</summary>
    int FunctionCount { get; }

    /// <summary>Whether it answers.</summary>
    bool IsUp { get; }

    /// <summary>The device process, where the daemon runs one.</summary>
    int? ProcessId => null;

    /// <summary>How often it was started again.</summary>
    int Restarts => 0;

    /// <summary>The layout of its rings; null where it takes those that are asked for.</summary>
    RingFormat? OwnRingFormat => null;

    /// <summary>Whether a function that nobody has can be given to somebody.</summary>
    bool IsAvailable(int function) => true;

    /// <summary>Where a function is on the PCI bus; null where it is on none.</summary>
    string? BusAddressOf(int function) => null;

    /// <summary>Whether a session that is lost is followed by another that goes on in the same rings.</summary>
    bool SessionsResume => true;

    /// <summary>Starts it, or adopts it from an earlier daemon. Returns when it is up, or after a while when it is not.</summary>
    /// <param name="left">What the earlier daemon kept for this device, by part; the device takes what it needs.</param>
    /// <param name="cancellation">Gives up.</param>
    Task StartAsync(IDictionary<string, Descriptor> left, CancellationToken cancellation);

    /// <summary>Completes when it is up.</summary>
    Task WaitUpAsync(CancellationToken cancellation);

    /// <summary>Has a binding's function enforce what the binding may do.</summary>
    Task ConfigureAsync(BindingRecord record, bool keepCounters, CancellationToken cancellation);

    /// <summary>Takes from a function what it was configured with: it lets nothing through.</summary>
    Task ClearAsync(int function, CancellationToken cancellation);

    /// <summary>Sets a virtual function to work on the rings of a binding.</summary>
    /// <exception cref="ArrakisException">It is not there, lacks what the binding needs, or misbehaves; nothing of it is left.</exception>
    Task<IDeviceSession> OpenSessionAsync(SessionRequest request, SessionContext context, CancellationToken cancellation);

    /// <summary>Goes on with a session that an earlier daemon opened; null where too little of it was kept.</summary>
    /// <param name="record">The binding.</param>
    /// <param name="parts">What was kept for it, by part.</param>
    /// <param name="context">What it waits with.</param>
    IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context);

    /// <summary>Counters by port; none where it does not count.</summary>
    Task<IReadOnlyDictionary<string, PortCounters>> ReadCountersAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyDictionary<string, PortCounters>>(ReadOnlyDictionary<string, PortCounters>.Empty);

    /// <summary>Lets go of it; a device that is kept goes on without the daemon.</summary>
    Task StopAsync(bool keep);
}
