using Arrakis.Contract;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native.Pci;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>Functions that are named one by one. Nothing stands in front of them: what they may send is up to whatever they are plugged into.</summary>
internal sealed class PciSource(PciDeviceOptions options, FunctionTaking taking) : IFunctionSource
{
    private readonly PciAddress[] _functions = [.. options.Functions.Select(PciAddress.Parse)];

    /// <inheritdoc/>
    public string Kind => "pci";

    /// <inheritdoc/>
    public string? Uplink => null;

    /// <inheritdoc/>
    public Task<PreparedFunctions> PrepareAsync(CancellationToken cancellation) => taking.TakeAsync(_functions, options.Vfio);

    /// <inheritdoc/>
    public Task ConfigureAsync(int function, PortIdentity identity, CancellationToken cancellation) =>
        identity.Rate is null
            ? Task.CompletedTask
            : throw new ArrakisException(
                ErrorCode.InvalidRequest,
                $"Nothing in front of the functions of device '{options.Name}' limits their rate.",
                "Bind without a rate, under a rule without rateBitsPerSecond, or to another device.");

    /// <inheritdoc/>
    public Task RestoreAsync() => taking.RestoreAsync(_functions);
}
