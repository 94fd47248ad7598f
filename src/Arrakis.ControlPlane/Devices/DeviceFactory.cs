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
internal sealed class DeviceFactory(IOptions<DaemonOptions> daemon, IDescriptorStore store, ReadinessLoop loop, TimeProvider time, ILoggerFactory loggers, HardwareParts hardware)
{
    internal INicDevice Create(DeviceOptions options) => options switch
    {
        SoftDeviceOptions soft => new SoftDevice(soft, daemon.Value, store, loop, time, loggers.CreateLogger<SoftDevice>()),
        VhostUserDeviceOptions external => new ExternalBackend(external),
        HardwareDeviceOptions own => new VfioNic(own, hardware.SourceOf(own), time, loggers.CreateLogger<VfioNic>()),
        _ => throw new ConfigurationException($"Device '{options.Name}' is of no known kind."),
    };
}
