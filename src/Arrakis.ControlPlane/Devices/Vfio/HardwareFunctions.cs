using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>The functions of a device that VFIO gives us, by their index in it; none before they are taken.</summary>
internal sealed class HardwareFunctions : IAsyncDisposable
{
    private HardwareFunction[] _all = [];

    internal IReadOnlyList<HardwareFunction> All => _all;

    internal HardwareFunction this[int function] => _all[function];

    internal void Take(PreparedFunctions prepared, QuarantinePolicy quarantine, TimeProvider time, ILogger logger) =>
        _all = [.. prepared.Places.Select(place => new HardwareFunction(place, quarantine, time, logger))];

    /// <inheritdoc cref="IDevice.IsAvailable"/>
    internal bool IsAvailable(int function) => _all[function].State is FunctionState.Free or FunctionState.Settling or FunctionState.InUse;

    /// <inheritdoc cref="IDevice.BusAddressOf"/>
    internal string? BusAddressOf(int function) => function < _all.Length ? _all[function].Place.Address.ToString() : null;

    /// <inheritdoc cref="IDevice.AdoptSession"/>
    internal IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        record.Grant.VirtualFunction < _all.Length ? VfioSession.Adopt(_all[record.Grant.VirtualFunction], record, parts, context) : null;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (HardwareFunction function in _all)
        {
            await function.DisposeAsync().ConfigureAwait(false);
        }

        _all = [];
    }
}
