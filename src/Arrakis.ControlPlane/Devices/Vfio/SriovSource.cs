using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native.Pci;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>Virtual functions of an SR-IOV NIC: made here, and held to their identity by the NIC, which its kernel driver tells.</summary>
internal sealed class SriovSource(SriovDeviceOptions options, PciBus bus, SriovFunctions sriov, FunctionTaking taking) : IFunctionSource
{
    private PciAddress _physical;
    private IReadOnlyList<PciAddress> _functions = [];

    /// <inheritdoc/>
    public string Kind => "sriov";

    /// <inheritdoc/>
    public string? Uplink => bus.TryRead(_physical) is { NetworkInterfaces: [string name, ..] } ? name : null;

    /// <inheritdoc/>
    public async Task<PreparedFunctions> PrepareAsync(CancellationToken cancellation)
    {
        _physical = FindPhysical();
        IReadOnlyList<PciFunction> functions = await sriov.CreateAsync(_physical, options.Functions).ConfigureAwait(false);
        _functions = [.. functions.Select(static function => function.Address)];
        return await taking.TakeAsync(_functions, options.Vfio).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task ConfigureAsync(int function, PortIdentity identity, CancellationToken cancellation)
    {
        var settings = new VfSettings
        {
            Mac = identity.Mac,
            Vlan = options.Vlan ?? 0,
            SpoofCheck = options.SpoofCheck,
            Trusted = options.Trust,
            MaxRateMegabits = identity.Rate is { } rate ? VfControl.Megabits(rate.BitsPerSecond) : 0,
        };
        return Task.Run(() => VfControl.Of(bus.Read(_physical)).Apply(function, settings), cancellation);
    }

    /// <inheritdoc/>
    public async Task RestoreAsync()
    {
        await taking.RestoreAsync(_functions).ConfigureAwait(false);
        await sriov.RestoreAsync(_physical).ConfigureAwait(false);
    }

    private PciAddress FindPhysical()
    {
        string name = options.PhysicalFunction;
        if (PciAddress.TryParse(name, out PciAddress address))
        {
            return address;
        }

        return bus.Functions().FirstOrDefault(function => function.NetworkInterfaces.Contains(name))?.Address
            ?? throw new ArrakisException(
                ErrorCode.UnknownDevice,
                $"Device '{options.Name}': no PCI function has the interface '{name}'.",
                "Write the name of the NIC's interface (ip link) or its PCI address (lspci -D) as physicalFunction.");
    }
}
