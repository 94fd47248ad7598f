using Arrakis.ControlPlane.Devices.Nvme;
using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native.Pci;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>What hardware devices have in common: the bus, and the record of what was changed on it.</summary>
internal sealed class HardwareParts
{
    private readonly PciParts _pci;
    private readonly FunctionTaking _taking;

    public HardwareParts(IOptions<DaemonOptions> options, TimeProvider time, ILoggerFactory loggers)
    {
        _pci = PciParts.OfMachine(options.Value.RuntimeDirectory, time, loggers);
        _taking = new FunctionTaking(_pci.Bus, _pci.Checks, _pci.Drivers);
    }

    internal IFunctionSource SourceOf(HardwareDeviceOptions options) => options switch
    {
        SriovDeviceOptions sriov => new SriovSource(sriov, _pci.Bus, _pci.Sriov, _taking),
        PciDeviceOptions pci => new PciSource(pci, _taking),
        _ => throw new ConfigurationException($"Device '{options.Name}' is of no known kind of hardware."),
    };

    internal NvmeSource SourceOf(NvmeDeviceOptions options) => new(options, _pci.Bus, _pci.Sriov, _taking);

    /// <summary>Gives back what an earlier daemon had taken and no device of this one has.</summary>
    internal async Task RestoreLeftAsync(IEnumerable<IDevice> devices)
    {
        HashSet<PciAddress> functions = [];
        HashSet<PciAddress> physical = [];
        foreach (IDevice device in devices)
        {
            for (int i = 0; i < device.FunctionCount; i++)
            {
                if (PciAddress.TryParse(device.BusAddressOf(i), out PciAddress address))
                {
                    _ = functions.Add(address);
                    if (_pci.Bus.TryRead(address)?.PhysicalFunction is { } parent)
                    {
                        _ = physical.Add(parent);
                    }
                }
            }
        }

        await _pci.Drivers.RestoreLeftAsync(functions).ConfigureAwait(false);
        await _pci.Sriov.RestoreLeftAsync(physical).ConfigureAwait(false);
    }
}
