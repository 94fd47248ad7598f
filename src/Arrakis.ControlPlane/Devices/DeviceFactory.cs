using Arrakis.ControlPlane.Devices.Nvme;
using Arrakis.ControlPlane.Devices.Soft;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Hosting;
using Arrakis.ControlPlane.Keeper;
using Arrakis.Native.Events;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Devices;

/// <summary>Makes devices of their configuration.</summary>
internal sealed class DeviceFactory(
    IOptions<DaemonOptions> daemon, IDescriptorStore store, ReadinessLoop loop, SessionContext context, TimeProvider time, ILoggerFactory loggers, HardwareParts hardware)
{
    /// <summary>What a configured device is: a software device with blocks is a NIC and a block device.</summary>
    internal IEnumerable<IDevice> Create(DeviceOptions options) => options switch
    {
        SoftDeviceOptions soft => CreateSoft(soft),
        VhostUserDeviceOptions external => [new ExternalBackend(external)],
        VhostUserBlockDeviceOptions disks => [new ExternalDisks(disks, context)],
        NvmeDeviceOptions nvme => [new NvmeDevice(nvme, hardware.SourceOf(nvme), time, loggers.CreateLogger<NvmeDevice>())],
        HardwareDeviceOptions own => [new VfioNic(own, hardware.SourceOf(own), time, loggers.CreateLogger<VfioNic>())],
        _ => throw new ConfigurationException($"Device '{options.Name}' is of no known kind."),
    };

    private IEnumerable<IDevice> CreateSoft(SoftDeviceOptions options)
    {
        var nic = new SoftDevice(options, daemon.Value, store, loop, time, loggers.CreateLogger<SoftDevice>());
        yield return nic;
        if (options.Blocks is { } blocks)
        {
            yield return new SoftBlockDevice(nic, blocks);
        }
    }
}
