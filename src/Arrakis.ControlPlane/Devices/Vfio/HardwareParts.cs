using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native.Pci;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>What hardware devices have in common: the bus, and the record of what was changed on it.</summary>
internal sealed class HardwareParts
{
    private readonly PciChangeLog _log;
    private readonly PciBus _bus = new();
    private readonly SriovFunctions _sriov;
    private readonly DriverBinding _binding;
    private readonly FunctionTaking _taking;

    public HardwareParts(IOptions<DaemonOptions> options, TimeProvider time, ILoggerFactory loggers)
    {
        ILogger logger = loggers.CreateLogger<HardwareParts>();
        _log = PciChangeLog.Open(options.Value.RuntimeDirectory, File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim(), logger);
        var checks = new BindChecks(_bus, new KernelUse(new DiskUse(_bus), new NetworkUse(_bus)));
        var work = new FunctionWork(time, logger);
        _sriov = new SriovFunctions(_bus, _log, checks, work, loggers.CreateLogger<SriovFunctions>());
        _binding = new DriverBinding(_bus, _log, work, loggers.CreateLogger<DriverBinding>());
        _taking = new FunctionTaking(_bus, checks, _binding);
    }

    internal IFunctionSource SourceOf(HardwareDeviceOptions options) => options switch
    {
        SriovDeviceOptions sriov => new SriovSource(sriov, _bus, _sriov, _taking),
        PciDeviceOptions pci => new PciSource(pci, _taking),
        _ => throw new ConfigurationException($"Device '{options.Name}' is of no known kind of hardware."),
    };

    /// <summary>Gives back what an earlier daemon had taken and no device of this one has.</summary>
    internal async Task RestoreLeftAsync(IEnumerable<INicDevice> devices)
    {
        HashSet<PciAddress> functions = [];
        HashSet<PciAddress> physical = [];
        foreach (INicDevice device in devices)
        {
            for (int i = 0; i < device.FunctionCount; i++)
            {
                if (PciAddress.TryParse(device.BusAddressOf(i), out PciAddress address))
                {
                    _ = functions.Add(address);
                    if (_bus.TryRead(address)?.PhysicalFunction is { } parent)
                    {
                        _ = physical.Add(parent);
                    }
                }
            }
        }

        await _binding.RestoreLeftAsync(functions).ConfigureAwait(false);
        await _sriov.RestoreLeftAsync(physical).ConfigureAwait(false);
    }
}
